"""Lists that come in pages, as one iterator."""

from collections.abc import Iterator

from faultline.connection import Connection

PAGE_SIZE_MAX = 1000


def pages(connection: Connection, rpc: str, request, field: str) -> Iterator:
    """The elements of `field` of each response, asked for as they are used."""
    request.page_size = PAGE_SIZE_MAX
    while True:
        response = connection.call(rpc, request)
        yield from getattr(response, field)
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token
