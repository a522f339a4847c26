//! Signatures by keys that no registry row vouches for (yet): a newcomer's own, and the registry's.
//!
//! Invariant: the same header, window and bytes are demanded as of any other signature; only where the key comes
//! from is the caller's to decide, and whatever is wrong is answered with 401 and the challenge of BECKN-006.

use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::signature::{self, AuthorizationHeader, SignatureError, VerifyingKey};
use http::HeaderMap;

use crate::deps::Deps;
use crate::function::Response;
use crate::hop;
use crate::receive::unauthenticated;

/// What a signature header claims, before anybody has checked it.
///
/// # Errors
/// The response to give instead: the header is missing, given twice, malformed or out of its time window.
pub fn claimed(deps: &Deps, headers: &HeaderMap, name: &str) -> Result<AuthorizationHeader, Response> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(refused(deps, format!("the {name} header is missing"))),
        (Some(_), Some(_)) => return Err(refused(deps, format!("the {name} header is given twice"))),
        (Some(value), None) => value.to_str().map_err(|_| refused(deps, format!("the {name} header is not ASCII")))?,
    };
    let wrong = |error| wrong(deps, name, &error);
    let header = AuthorizationHeader::parse(value).map_err(wrong)?;
    signature::check_window(&header, deps.clock.now().as_second(), None).map_err(wrong)?;
    hop::peer(&header.key_id.subscriber_id);
    Ok(header)
}

/// Checks that `key`, valid until then (seconds since 1970), made what the header called `name` claims.
///
/// # Errors
/// The response to give instead.
pub fn prove(
    deps: &Deps,
    name: &str,
    header: &AuthorizationHeader,
    body: &[u8],
    key: &VerifyingKey,
    valid_until: Option<i64>,
) -> Result<(), Response> {
    signature::check_window(header, deps.clock.now().as_second(), valid_until)
        .and_then(|()| signature::verify(header, body, key))
        .map_err(|error| wrong(deps, name, &error))
}

/// 401: nobody whom we may believe signed this, because of `reason`.
pub fn refused(deps: &Deps, reason: impl Into<String>) -> Response {
    unauthenticated(deps, "www-authenticate", Error::new(Code::InvalidSignature, reason))
}

fn wrong(deps: &Deps, name: &str, error: &SignatureError) -> Response {
    unauthenticated(deps, "www-authenticate", Error::new(error.code(), format!("{name}: {error}")))
}
