"""The tests' own door, below `/_sandbox` on the API's origin.

GET    /_sandbox/ledger      every submission, as in ledger.jsonl
GET    /_sandbox/requests    counts and times by service and verb; ?account=… for one account
GET    /_sandbox/leaks       credentials that arrived at the results' origin
POST   /_sandbox/outage      order an outage (see outages.py)
DELETE /_sandbox/outage      end all of them; ?service=… for one service
"""

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.house import House
from daemon.sandbox.outages import Outage


def routes(house: House) -> list[BaseRoute]:
    """The routes of the door, below its prefix."""

    async def ledger(_request: Request) -> Response:
        return JSONResponse(house.ledger.submissions)

    async def requests(request: Request) -> Response:
        return JSONResponse(house.ledger.requests(request.query_params.get("account")))

    async def leaks(_request: Request) -> Response:
        return JSONResponse(list(house.ledger.leaks))

    async def order(request: Request) -> Response:
        try:
            outage = Outage.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        if outage.service not in house.limits:
            return JSONResponse({"error": f"no such service: {outage.service}"}, 400)
        house.outages.order(outage, house.clock())
        return Response(status_code=204)

    async def end(request: Request) -> Response:
        house.outages.end(request.query_params.get("service"))
        return Response(status_code=204)

    return [
        Route("/ledger", ledger),
        Route("/requests", requests),
        Route("/leaks", leaks),
        Route("/outage", order, methods=["POST"]),
        Route("/outage", end, methods=["DELETE"]),
    ]
