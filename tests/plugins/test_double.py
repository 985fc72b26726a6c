"""The doubles of Nuke and Houdini refuse what the published stubs do not have."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from double import nuke as nuke_double
from double.recording import Recording


def test_a_name_that_nuke_does_not_have_is_refused(nuke: Callable[..., Any]) -> None:
    nuke()
    import nuke as host

    with pytest.raises(AttributeError, match="nuke has no createNodes in its stubs"):
        _ = host.createNodes
    with pytest.raises(AttributeError, match="Node has no setPosition in the stubs"):
        host.createNode("Read").setPosition(1, 2)


def test_a_call_that_does_not_fit_the_signature_is_refused(nuke: Callable[..., Any], hou: Callable[..., Any]) -> None:
    nuke(), hou()
    import hou as houdini
    import nuke as host

    with pytest.raises(TypeError, match=r"nuke.createNode: got an unexpected keyword argument 'inPanel'"):
        host.createNode("Read", inPanel=False)
    with pytest.raises(TypeError, match=r"Node.setXYpos: x is int, and was given '1'"):
        host.createNode("Read").setXYpos("1", 2)
    with pytest.raises(TypeError, match=r"hou.node: missing a required argument: 'path'"):
        houdini.node()
    with pytest.raises(TypeError, match=r"ui.displayMessage: got an unexpected keyword argument 'caption'"):
        houdini.ui.displayMessage("text", caption="title")


def test_a_name_that_the_double_does_not_do_yet_says_so(nuke: Callable[..., Any], hou: Callable[..., Any]) -> None:
    nuke(), hou()
    import hou as houdini
    import nuke as host

    with pytest.raises(NotImplementedError, match=r"nuke.clearDiskCache exists, and the double does not do it"):
        host.clearDiskCache()
    with pytest.raises(NotImplementedError, match=r"OpNode.cook exists"):
        houdini.node("/obj").cook()


def test_the_double_itself_cannot_invent_a_name() -> None:
    with pytest.raises(AssertionError, match="Viewer has no zap in the stubs"):
        type("Viewer", (nuke_double.NukeDouble,), {"__module__": "double.nuke", "zap": lambda self: None})


def test_calls_are_recorded_with_what_the_stub_can_check(nuke: Callable[..., Any], recording: Recording) -> None:
    nuke()
    import nuke as host

    host.menu("Nuke").addMenu("vfxgan").addCommand("Generate", lambda: host.message("pressed"))
    node = host.createNode("Read")
    node["colorspace"].setValue("ACES - ACEScg")
    assert recording.first_words("nuke.createNode") == ["Read"]
    assert recording.of("nuke.createNode")[0].is_checked
    assert not recording.of("Menu.addCommand")[0].is_checked
    nuke_double.HOST.menus["Nuke"]._find("vfxgan/Generate").invoke()
    assert nuke_double.HOST.said == ["pressed"]


def test_a_knob_takes_only_what_it_can_hold(nuke: Callable[..., Any]) -> None:
    nuke()
    import nuke as host

    node = host.createNode("Read")
    with pytest.raises(TypeError, match="colorspace has no value 'film'"):
        node["colorspace"].setValue("film")
    with pytest.raises(NameError, match="knob seeds does not exist"):
        node["seeds"]
    node["file"].fromUserText("a/####.exr 1001-1010")
    assert [node[name].value() for name in ("file", "first", "last", "origlast")] == ["a/####.exr", 1001, 1010, 1010]


def test_nuke_is_touched_from_the_main_thread_only(nuke: Callable[..., Any]) -> None:
    session = nuke()
    import nuke as host

    refused, made = [], []

    def work() -> None:
        task = host.ProgressTask("rendering")
        task.setProgress(50)
        try:
            host.createNode("Read")
        except RuntimeError as error:
            refused.append(str(error))
        made.append(host.executeInMainThreadWithResult(host.createNode, ("Read",)))

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    session.run_events(until=lambda: bool(made))
    thread.join()
    assert refused == ["nuke.createNode was called from the thread worker, not the main one"]
    assert made[0].Class() == "Read"
    assert session.tasks[0]._percent == 50


def test_houdini_nodes_take_the_parameters_of_their_type(hou: Callable[..., Any]) -> None:
    hou()
    import hou as houdini

    node = houdini.node("/obj").createNode("file", "picture")
    node.parm("file").set("a.exr")
    assert node.path() == "/obj/picture"
    assert node.evalParm("file") == "a.exr"
    assert node.parm("nothing") is None
    with pytest.raises(houdini.OperationFailed, match="Invalid node type name: nonsense"):
        houdini.node("/obj").createNode("nonsense")


def test_an_operation_of_houdini_can_be_interrupted(hou: Callable[..., Any]) -> None:
    host = hou()
    import hou as houdini

    host.escape = lambda operation: len(operation._fractions) > 1
    with houdini.InterruptableOperation("render") as operation:
        operation.updateProgress(0.5)
        with pytest.raises(houdini.OperationInterrupted):
            operation.updateProgress(0.6)
    assert houdini.severityType.Message == houdini.severityType.Message
    with pytest.raises(AttributeError, match="severityType has no Loud"):
        _ = houdini.severityType.Loud


def test_without_a_window_there_is_no_ui(hou: Callable[..., Any]) -> None:
    hou(gui=False)
    import hou as houdini

    assert not houdini.isUIAvailable()
    with pytest.raises(NotImplementedError, match=r"hou.ui"):
        _ = houdini.ui


def test_pdg_takes_the_documented_arguments_alone() -> None:
    from double.pdg import Node, WorkItemHolder, workItemCookType

    holder = WorkItemHolder(Node(None))
    item = holder.addWorkItem(index=3, cookType=workItemCookType.InProcess)
    for wrong in ({"inProccess": True}, {"index": 1, "cooktype": workItemCookType.InProcess}):
        with pytest.raises(TypeError, match=r"pdg.WorkItemHolder.addWorkItem takes \(options, "):
            holder.addWorkItem(**wrong)
    with pytest.raises(TypeError):
        item.addOutputFile("a.exr", "file/image", 0, False, "more")
    with pytest.raises(TypeError):
        item.setCommand("a", "b")
