"""REST: a second thin adapter over the use cases that gRPC serves. It has no rule of its own.

`table` names every endpoint once; the routes and the OpenAPI document are both made from it.
"""
