"""Request bodies: JSON objects, checked strictly, with all that is wrong said at once."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.exceptions import ClientException, HTTPException
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from app.errors import FieldError
from app.web import decoding
from app.web.field_names import WrongFields, camel, in_words

T = TypeVar("T", bound=msgspec.Struct)

MAX_BODY = 65_536
"""Bytes."""


@dataclass(frozen=True)
class Body(Generic[T]):
    """The fields of a body by our names, as far as each can be read, and what is wrong besides."""

    shape: type[T]
    given: Mapping[str, Any]
    wrong: Sequence[FieldError]

    def checked(self, rules: Callable[[Mapping[str, Any]], Iterable[FieldError]]) -> T:
        """The body as its shape. Raises WrongFields with all that is wrong.

        `rules` says what of `given` is wrong. It is asked only if more is; else whoever gets the
        body finds it.
        """
        if self.wrong:
            others = (FieldError(camel(each.field), each.message) for each in rules(self.given))
            raise WrongFields([*self.wrong, *others])
        return self.shape(**self.given)


def sent(checked: msgspec.Struct) -> dict[str, Any]:
    """The fields of a checked body by our names, without those that were left out."""
    values = msgspec.structs.asdict(checked)
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


class JsonBody(AbstractDTO[T]):
    """`dto=JsonBody[Shape]` on a handler: its `data` is then a `Body[Shape]`.

    Litestar's own decoding takes numbers for times and stops at the first unknown field.
    """

    def decode_bytes(self, value: bytes) -> Body[T]:
        content_type, _ = self.asgi_connection.content_type  # type: ignore[attr-defined]
        if content_type.lower() != "application/json":
            raise HTTPException(
                status_code=415, detail="The Content-Type must be application/json."
            )
        return read(value, self.model_type)

    @classmethod
    def create_for_field_definition(cls, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to prepare: the struct itself says what is allowed."""

    @classmethod
    def is_supported_model_type_field(cls, *_args: Any, **_kwargs: Any) -> bool:
        return False  # answers are structs already

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,  # noqa: ARG003
        handler_id: str,  # noqa: ARG003
        schema_creator: Any,
    ) -> Reference | Schema:
        shape = FieldDefinition.from_annotation(cls.model_type)
        schema: Reference | Schema = schema_creator.for_field_definition(shape)
        return schema


def read(body: bytes, shape: type[T]) -> Body[T]:
    """The JSON object `body`, for a `shape`.

    Raises WrongFields for what is no object, and ClientException (400) for what is no JSON.
    """
    values = _object(body)
    known = _fields(shape)
    errors = [
        FieldError(decoding.shown(name), f"This is unknown; known are {', '.join(known)}.")
        for name in values
        if name not in known
    ]
    converted: dict[str, Any] = {}
    for name, field in known.items():
        if name in values and not decoding.is_text(values[name]):
            errors.append(FieldError(name, decoding.NO_TEXT))
        elif name in values:
            try:
                converted[field.name] = msgspec.convert(values[name], field.type)
            except msgspec.ValidationError as error:
                errors.append(FieldError(name, _in_words(str(error), field.type)))
        elif field.required:
            errors.append(FieldError(name, "This is missing."))
    return Body(shape, converted, errors)


def _in_words(found: str, shape: Any) -> str:
    """What msgspec found wrong with a value of this type, with what would be right."""
    kind = msgspec.inspect.type_info(shape)
    if found.startswith("Invalid enum value") and (choices := _choices(kind)):
        return f"This must be one of {', '.join(choices)}."
    if found.startswith("Expected `object") and " - at " not in found and (inner := _inner(kind)):
        return f"This must be an object with {', '.join(inner)}."
    return in_words(found)


def _choices(kind: Any) -> Sequence[str]:
    """The values of which one is allowed: of the type itself, or of what it is a list of."""
    match kind:
        case msgspec.inspect.LiteralType(values=values):
            return [str(each) for each in values]
        case msgspec.inspect.Metadata(type=of) | msgspec.inspect.ListType(item_type=of):
            return _choices(of)
        case msgspec.inspect.UnionType(types=types):
            return next(filter(None, map(_choices, types)), [])
    return []


def _inner(kind: Any) -> Sequence[str]:
    """The names of what an object of this type may have. Money has an example of its own."""
    match kind:
        case msgspec.inspect.StructType(fields=fields):
            return [each.encode_name for each in fields]
        case msgspec.inspect.Metadata(type=of):
            return _inner(of)
        case msgspec.inspect.UnionType(types=types):
            return next(filter(None, map(_inner, types)), [])
    return []


@cache
def _fields(shape: type[Any]) -> dict[str, msgspec.structs.FieldInfo]:
    """What a body may have, by name."""
    return {field.encode_name: field for field in msgspec.structs.fields(shape)}


def _object(body: bytes) -> dict[str, Any]:
    try:
        # Unlike msgspec's, this decoder takes a lone surrogate, so the answer can name its field.
        values = json.loads(body, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise ClientException("The body is not JSON.") from error
    if not isinstance(values, dict):
        raise WrongFields([FieldError("body", "This must be a JSON object.")])
    return values


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a field that is there twice, one would silently win. Raises WrongFields."""
    counted = Counter(name for name, _ in pairs)
    decoding.refuse(
        (name for name, count in counted.items() if count > 1), "This is there more than once."
    )
    return dict(pairs)
