"""JSON texts that a strict reader refuses, and unusual ones that it must take."""

from __future__ import annotations

import json

from core.json import LARGEST, MAX_DEPTH, MAX_DIGITS, MAX_KEYS, MAX_VALUES


def nested(depth: int) -> bytes:
    """An object ``depth`` levels deep, the object itself counted."""
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


REFUSED = {
    "nothing": b"",
    "only space": b" \r\n\t ",
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets in an object": b'{"a":' + b"[" * 100_000,
    "100,000 levels that end": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "5,000 objects in one another": nested(5_000),
    "one level too deep": nested(MAX_DEPTH + 1),
    "too deep by lists": b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "too deep after a bracket in a string": b'{"x":"]]]]","a":' + b"[" * 16 + b"]" * 16 + b"}",
    "a key twice": b'{"to":"1","to":"2"}',
    "a key twice, once escaped": b'{"to":"1","\\u0074o":"2"}',
    "a key twice inside": b'{"metadata":{"a":1,"b":2,"a":3}}',
    "a key twice in a list": b'{"l":[{"a":1,"a":1}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "1e400": b'{"a":1e400}',
    "-1e400": b'{"a":-1e400}',
    "an integer of 5,000 digits": b'{"a":' + b"9" * 5_000 + b"}",
    "an integer of 4,299 digits": b'{"a":' + b"9" * 4_299 + b"}",
    "an integer of 21 digits": b'{"a":' + b"1" * (MAX_DIGITS + 1) + b"}",
    "an integer of 22 digits": b'{"a":' + b"1" * (MAX_DIGITS + 2) + b"}",
    "a negative integer of 21 digits": b'{"a":-' + b"1" * (MAX_DIGITS + 1) + b"}",
    "a fraction of 5,000 digits": b'{"a":0.' + b"1" * 5_000 + b"}",
    "NUL in a value": b'{"metadata":{"a":"x\\u0000y"}}',
    "NUL in a key": b'{"metadata":{"x\\u0000y":"a"}}',
    "a raw NUL": b'{"a":"\x00"}',
    "a high surrogate alone": b'{"a":"\\ud800"}',
    "a low surrogate alone": b'{"a":"\\udc00"}',
    "surrogates in the wrong order": b'{"a":"\\udc00\\ud800"}',
    "a surrogate in a key": b'{"\\ud800":"a"}',
    "a surrogate key twice": b'{"\\ud800":1,"\\ud800":2}',
    "a surrogate in a list": b'{"a":[1,["\\udfff"]]}',
    "a surrogate as raw bytes": b'{"a":"\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16 with a mark": '{"a":1}'.encode("utf-16"),
    "UTF-16, little end first": '{"a":1}'.encode("utf-16-le"),
    "UTF-16, big end first": '{"a":1}'.encode("utf-16-be"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "Latin-1": '{"a":"é"}'.encode("latin-1"),
    "an overlong slash": b'{"a":"\xc0\xaf"}',
    "a list": b"[1]",
    "a string": b'"a"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "two objects": b"{}{}",
    "something behind": b'{"a":1} x',
    "a comma behind": b'{"a":1,}',
    "a comma alone": b"{,}",
    "no colon": b'{"a" 1}',
    "single quotes": b"{'a':1}",
    "no quotes": b"{a:1}",
    "a comment": b'{"a":1/* x */}',
    "an unfinished object": b'{"a":1',
    "an unfinished string": b'{"a":"b',
    "a raw line break in a string": b'{"a":"b\nc"}',
    "a raw tab in a string": b'{"a":"b\tc"}',
    "an unknown escape": b'{"a":"\\x41"}',
    "half an escape": b'{"a":"\\u00"}',
    "a leading zero": b'{"a":01}',
    "a leading plus": b'{"a":+1}',
    "a bare fraction": b'{"a":.5}',
    "a bare point": b'{"a":1.}',
    "hexadecimal": b'{"a":0x10}',
    "an Arabic digit": '{"a":١}'.encode(),
    "True": b'{"a":True}',
    "a non-breaking space": '{"a":\u00a01}'.encode(),
    "too many keys": json.dumps({str(n): 1 for n in range(MAX_KEYS + 1)}).encode(),
    "too many lists": b'{"a":[' + b"[]," * MAX_VALUES + b"[]]}",
    "too many numbers": b'{"a":[' + b"1," * MAX_VALUES + b"1]}",
    "too many texts": b'{"a":[' + b'"",' * MAX_VALUES + b'""]}',
    "too many values behind a text of commas": b'{"a":"'
    + b"," * 9
    + b'","b":['
    + b"1," * MAX_VALUES
    + b"1]}",
    "too many keys in all": json.dumps({"l": [{str(n): 1 for n in range(11)}] * 100}).encode(),
}

ACCEPTED = {
    "nothing in it": (b"{}", {}),
    "space around": (b' \r\n\t{ "a" : 1 } \n', {"a": 1}),
    "as deep as allowed": (nested(MAX_DEPTH), json.loads(nested(MAX_DEPTH))),
    "many brackets side by side": (b'{"a":[' + b"[],{}," * 500 + b"0]}", {"a": [[], {}] * 500 + [0]}),
    "brackets in a string": (b'{"a":"' + b"[{" * 100 + b'"}', {"a": "[{" * 100}),
    "brackets behind an escaped quote": (b'{"a":"\\"' + b"[" * 100 + b'"}', {"a": '"' + "[" * 100}),
    "brackets behind a backslash": (b'{"a":"\\\\","b":[[]]}', {"a": "\\", "b": [[]]}),
    "a text of commas and brackets": (b'{"a":"' + b",[{" * MAX_VALUES + b'"}', {"a": ",[{" * MAX_VALUES}),
    "commas behind an escaped quote": (
        b'{"a":"\\"' + b"," * MAX_VALUES + b'"}',
        {"a": '"' + "," * MAX_VALUES},
    ),
    "commas between escaped backslashes": (
        b'{"a":"\\\\","b":"' + b"\\\\," * MAX_VALUES + b'"}',
        {"a": "\\", "b": "\\," * MAX_VALUES},
    ),
    "as many values as allowed": (
        b'{"a":[' + b"1," * (MAX_VALUES - 3) + b"1]}",
        {"a": [1] * (MAX_VALUES - 2)},
    ),
    "every escape": (rb'{"a":"\"\\\/\b\f\n\r\t\u0041"}', {"a": '"\\/\b\f\n\r\tA'}),
    "a surrogate pair": (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    "the same as raw bytes": ('{"a":"😀"}'.encode(), {"a": "😀"}),
    "a mark inside a string": ('{"a":"\ufeff"}'.encode(), {"a": "\ufeff"}),
    "an escaped control character": (b'{"a":"\\u0001\\u001f"}', {"a": "\x01\x1f"}),
    "a text that looks like NUL": (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
    "decomposed letters as sent": ('{"a":"e\u0301"}'.encode(), {"a": "e\u0301"}),
    "the same key in two objects": (b'{"a":{"k":1},"b":{"k":1}}', {"a": {"k": 1}, "b": {"k": 1}}),
    "__proto__": (b'{"__proto__":{"a":1}}', {"__proto__": {"a": 1}}),
    "the largest integer": (b'{"a":9223372036854775807}', {"a": LARGEST}),
    "the least one": (b'{"a":-9223372036854775807}', {"a": -LARGEST}),
    "the least double": (b'{"a":-2.2250738585072014e-308}', {"a": -2.2250738585072014e-308}),
    "an everyday double": (b'{"a":-1.2345678901234567e-10}', {"a": -1.2345678901234567e-10}),
    "no value": (b'{"a":null,"b":true,"c":false,"":0}', {"a": None, "b": True, "c": False, "": 0}),
    "as many keys as allowed": (
        json.dumps({str(n): n for n in range(MAX_KEYS)}).encode(),
        {str(n): n for n in range(MAX_KEYS)},
    ),
}
