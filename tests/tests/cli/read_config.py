"""Prints a config.pbtxt of NVIDIA Triton Inference Server as JSON, read by protobuf's text format with
Triton's own schema: model_config.proto as the package tritonclient carries it. What the schema doesn't
have is an error."""

import importlib.util
import pathlib
import sys

from google.protobuf import json_format, text_format

# Only this module: the package's other parts need more packages.
found = importlib.util.find_spec("tritonclient")
if found is None:
    sys.exit("no package tritonclient: get it with `scripts/setup.sh test`")
package = pathlib.Path(found.origin).parent
spec = importlib.util.spec_from_file_location("model_config_pb2", package / "grpc/model_config_pb2.py")
schema = importlib.util.module_from_spec(spec)
spec.loader.exec_module(schema)

config = text_format.Parse(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), schema.ModelConfig())
print(json_format.MessageToJson(config, preserving_proto_field_name=True))
