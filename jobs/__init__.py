"""Jobs: streams of actors, and the `savg` command that runs them; no model code here."""

import os
import secrets

# Ray reads these when it is imported, which no module of this package may do before they are set.
# Workers share this environment rather than building their own:
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# A Ray that lives as long as this process gets a token of its own. Ray's default would leave one in the user's home,
# and later commands against open clusters would then fail for want of it.
if "RAY_ADDRESS" not in os.environ and "RAY_AUTH_MODE" not in os.environ:
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # Every pool of Ray Data makes its C++ core print an error about constructor arguments that does not concern us.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
