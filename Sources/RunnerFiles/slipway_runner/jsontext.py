"""JSON text, compact and in UTF-8, by an encoder that is made once."""

from __future__ import annotations

import json
import json.encoder

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


def make_encoder(markers: Optional[dict]) -> Callable[[Any], str]:
    """Return what turns a value into JSON; the library would make it for each value.

    Parameters
    ----------
    markers
        An empty dict, where values may hold themselves: then that is the error's text.
        After an error it is not empty any more, and the encoder of no use.
    """
    encoder = json.JSONEncoder(
        check_circular=markers is not None,
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    text = json.encoder.encode_basestring
    parts = make(markers, encoder.default, text, None, ":", ",", False, False, False)
    join = "".join
    return lambda value: join(parts(value, 0))
