"""Which names a release of TensorRT does not have: a JSON list in, a JSON list out."""

import json
import sys
from operator import attrgetter

import tensorrt as trt

missing = []
for name in json.loads(sys.argv[1]):
    try:
        attrgetter(name)(trt)
    except AttributeError:
        missing.append(name)
print(json.dumps(missing))
