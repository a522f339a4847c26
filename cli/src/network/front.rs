//! One HTTP port for every HTTP function, as an HTTP API would route to it.
//!
//! Invariant: no handler of the client API sees a request whose token was not checked, and who calls is read off
//! the token alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Function, HttpHandler, Request, Response, Trigger};
use beckn_health_platform::hop::serve;
use beckn_health_platform::receive::{MAX_CALLBACK, json};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::json as value;

use super::callers::{Callers, NotLetIn};

/// Bytes read from a request before it is refused unseen; the pipeline's own caps are lower.
const MAX_BODY: usize = 2 * MAX_CALLBACK;

/// What the paths of the client API begin with.
const CLIENT_API: &str = "/client/";

/// Name and handler of an HTTP function, with its role's dependencies.
type Served = (&'static str, HttpHandler, Arc<Deps>);
/// The function of each method and path pattern.
type Routes = HashMap<(&'static str, String), Served>;

/// Routes requests to functions.
#[derive(Clone)]
pub(super) struct Front {
    routes: Arc<Routes>,
    callers: Arc<Callers>,
    ready: Arc<AtomicBool>,
}

impl Front {
    /// A front for the HTTP functions among `functions`, each with its role's dependencies.
    ///
    /// `callers` may call the client API; `ready` turns true when everything is loaded and can be searched.
    pub(super) fn new(
        functions: impl Iterator<Item = (Function, Arc<Deps>)>,
        callers: Callers,
        ready: Arc<AtomicBool>,
    ) -> Self {
        let mut routes = HashMap::new();
        for (function, deps) in functions {
            if let Trigger::Http { route, handler } = function.trigger {
                routes.insert((route.method, pattern(route.path)), (function.name, handler, deps));
            }
        }
        Self { routes: Arc::new(routes), callers: Arc::new(callers), ready }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: http::Request<Body>) -> http::Response<Body> {
        let (mut parts, body) = request.into_parts();
        if parts.uri.path() == "/health" {
            let (status, word) = match self.ready.load(Ordering::Acquire) {
                true => (StatusCode::OK, "ready"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            };
            return finish(json(status, &value!({ "status": word })));
        }
        let Some((function, handler, deps)) = self.find(parts.method.as_str(), parts.uri.path()) else {
            let other_method = self.routes.keys().any(|(_, path)| *path == normal(parts.uri.path()));
            let (status, message) = match other_method {
                true => (StatusCode::METHOD_NOT_ALLOWED, "this route takes another method"),
                false => (StatusCode::NOT_FOUND, "there is no such route"),
            };
            return finish(json(status, &value!({ "message": message })));
        };
        if parts.uri.path().starts_with(CLIENT_API) {
            match self.callers.of(&parts.headers) {
                Ok(caller) => parts.extensions.insert(caller),
                Err(why) => return finish(unauthorized(why)),
            };
        }
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
            return finish(json(StatusCode::PAYLOAD_TOO_LARGE, &value!({ "message": "the body is too large" })));
        };
        // A panic in a handler fails its own request alone, as a crashed Lambda invocation does.
        let handled = tokio::spawn(serve(function, deps, handler, Request::from_parts(parts, body))).await;
        finish(handled.ok().and_then(Result::ok).unwrap_or_else(|| {
            tracing::error!(function, "a handler panicked");
            json(StatusCode::INTERNAL_SERVER_ERROR, &value!({}))
        }))
    }

    fn find(&self, method: &str, path: &str) -> Option<Served> {
        let method = if method == "POST" {
            "POST"
        } else if method == "GET" {
            "GET"
        } else {
            return None;
        };
        self.routes.get(&(method, normal(path))).cloned()
    }
}

/// A route's path with its last parameter, if any, replaced by `*`.
fn pattern(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((prefix, parameter)) if parameter.starts_with('{') => format!("{prefix}/*"),
        _ => path.to_owned(),
    }
}

/// A request's path in the form of [`pattern`].
fn normal(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((prefix @ "/client/transactions", _)) => format!("{prefix}/*"),
        _ => path.to_owned(),
    }
}

/// 401 as RFC 6750 has it, with what to do about it.
fn unauthorized(why: NotLetIn) -> Response {
    let (challenge, problem) = match why {
        NotLetIn::NoToken => ("Bearer realm=\"beckn-health\"", "the client API wants a token"),
        NotLetIn::WrongToken => {
            ("Bearer realm=\"beckn-health\", error=\"invalid_token\"", "the client API does not accept this token")
        }
    };
    let message = format!(
        "{problem}: send the header `Authorization: Bearer <token>`; `beckn-health up` prints the token when it \
         starts, unless BECKN_HEALTH_TOKEN tells it"
    );
    let mut response = json(StatusCode::UNAUTHORIZED, &value!({ "message": message }));
    response.headers_mut().insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn finish(response: Response) -> http::Response<Body> {
    let mut response = response.map(|body: Bytes| Body::from(body));
    // Nothing we answer belongs into a cache or a page, unless its function says so.
    response.headers_mut().entry(http::header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
