"""Alternating best responses by gradients on the continuous warehouse. Needs the extra `continuous` (JAX and optax)."""

from __future__ import annotations

from meanfleet.base.errors import UserError

try:
    import jax
    import optax  # noqa: F401
except ImportError as error:
    raise UserError("learning by gradients needs JAX and optax: install 'meanfleet[continuous]'") from error

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]  # conjugate gradients and finite differences lose too much in float32
