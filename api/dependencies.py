# SPDX-License-Identifier: EUPL-1.2
"""What routes ask for by type: the services of the process."""

from typing import Annotated

from fastapi import Depends, Request

from api.services import Services


def services_of(request: Request) -> Services:
    """The services that `create_app` was given."""
    services: Services = request.app.state.services
    return services


ServicesOf = Annotated[Services, Depends(services_of)]
