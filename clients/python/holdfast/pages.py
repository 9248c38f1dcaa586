"""Reading lists to their end: in comes a list call, out comes one response with the items of all pages."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from google.protobuf.message import Message

_LARGEST_PAGE = 1000

Page_co = TypeVar("Page_co", bound=Message, covariant=True)


class ListCall(Protocol[Page_co]):
    """A list method of the client, such as `Holdfast.list_jobs`."""

    def __call__(self, *, page_size: int = 0, page_token: str = "") -> Awaitable[Page_co]:
        """Return one page."""
        ...


async def every_page(call: ListCall[Page_co]) -> Page_co:
    """Return one response that holds the items of all pages; bind filters with functools.partial."""
    whole = await call(page_size=_LARGEST_PAGE)
    while token := _take_token(whole):
        whole.MergeFrom(await call(page_size=_LARGEST_PAGE, page_token=token))
    return whole


def _take_token(page: Message) -> str:
    # Merging a last page, whose token is empty, would leave the old token in place.
    token: str = getattr(page, "next_page_token")  # noqa: B009 (every list response has it; their base class does not say so)
    page.ClearField("next_page_token")
    return token
