//! HTTP to peers.
//!
//! Invariant: no request leaves for an address that the policy refuses. Only https to public
//! addresses is allowed (unless the deployment allows private ones), the check covers literal
//! addresses and every address a name resolves to, redirects are never followed, and both the time
//! and the size of an answer are bounded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::{hop, trace};

/// Longest time to reach a peer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for a whole exchange.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer read from a peer, in bytes; an acknowledgement is a few hundred.
const MAX_ANSWER: usize = 64 * 1024;

/// Posts signed messages to peers.
#[derive(Debug, Clone)]
pub struct Egress {
    client: reqwest::Client,
    allow_private: bool,
}

/// A peer's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body; of a peer's answer at most 64 KiB.
    pub body: Bytes,
}

/// Why no answer was had.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL is not one we deliver to.
    #[error("the URL is refused: {0}")]
    Refused(String),
    /// The peer did not answer in time or could not be reached.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(String),
    /// The answer was larger than this many bytes.
    #[error("the peer's answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl Egress {
    /// A client with the network's policy.
    ///
    /// # Errors
    /// The TLS configuration of the machine is unusable.
    pub fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .dns_resolver(Arc::new(PublicAddresses { allow_private }))
            .user_agent(concat!("beckn-health/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// Posts `body` as JSON with the given headers and the trace of the hop that posts it.
    ///
    /// # Errors
    /// The URL is refused, the peer unreachable, or its answer too large.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, EgressError> {
        self.post_for(url, headers, body, MAX_ANSWER).await
    }

    /// The same with another cap on the answer, in bytes: a registry may list a whole network.
    ///
    /// # Errors
    /// The URL is refused, the peer unreachable, or its answer too large.
    pub async fn post_for(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        cap: usize,
    ) -> Result<Answer, EgressError> {
        let url = check(url, self.allow_private)?;
        let mut request = self.client.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        exchange(request.body(body), cap).await
    }

    /// Reads what is at `url`.
    ///
    /// # Errors
    /// The URL is refused, the peer unreachable, or its answer too large.
    pub async fn get(&self, url: &str) -> Result<Answer, EgressError> {
        exchange(self.client.get(check(url, self.allow_private)?), MAX_ANSWER).await
    }
}

/// Sends a request with the trace of the hop that sends it, and reads at most `cap` bytes of the answer.
async fn exchange(mut request: reqwest::RequestBuilder, cap: usize) -> Result<Answer, EgressError> {
    if let Some(trace) = hop::trace() {
        request = request.header(trace::HEADER, trace.to_string());
    }
    let unreachable = |error: reqwest::Error| EgressError::Unreachable(describe(&error));
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let mut read = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if read.len() + chunk.len() > cap {
            return Err(EgressError::TooLarge(cap));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body: read.freeze() })
}

/// What went wrong with an exchange, and its last cause.
fn describe(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "connection failed"
    } else {
        "exchange failed"
    };
    last_cause(error).map_or_else(|| kind.to_owned(), |cause| format!("{kind}: {cause}"))
}

/// What is at the bottom of an error: its last cause, where it has one. reqwest's own text repeats the URL, which may
/// carry tokens.
pub fn last_cause(error: &reqwest::Error) -> Option<String> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last().map(ToString::to_string)
}

/// The URL, if the policy lets us post to it.
///
/// # Errors
/// [`EgressError::Refused`] with what was expected.
pub fn check(url: &str, allow_private: bool) -> Result<Url, EgressError> {
    let refused = |reason: &str| Err(EgressError::Refused(reason.to_owned()));
    let Ok(url) = Url::parse(url) else { return refused("it is not an absolute URL") };
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        _ => return refused("expected https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("it carries user information");
    }
    let public = match url.host() {
        None => return refused("it names no host"),
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        // `.` and `127.0.0.1..` are no names, though a URL may hold them.
        Some(Host::Domain(name)) if name.strip_suffix('.').unwrap_or(name).split('.').any(str::is_empty) => {
            return refused("it names no host");
        }
        // Names are checked once resolved, in the resolver.
        Some(Host::Domain(_)) => true,
    };
    if !public && !allow_private {
        return refused("it is a private address");
    }
    Ok(url)
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            // Only global unicast (2000::/3), without documentation and the protocol assignments of 2001::/23: Teredo,
            // which hides an IPv4 address, and benchmarking among them.
            None => {
                let [a, b, ..] = v6.segments();
                a & 0xe000 == 0x2000 && !(a == 0x2001 && (b == 0x0db8 || b < 0x0200)) && a != 0x3fff
            }
        },
    }
}

/// The IPv4 address inside a mapped, compatible, NAT64 or 6to4 address.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // The relays of 6to4.
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

/// Resolves names to public addresses only.
struct PublicAddresses {
    allow_private: bool,
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name resolves to no public address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_https_to_public_hosts_is_allowed() {
        for refused in [
            "http://bap.example.org/x",
            "https://127.0.0.1/x",
            "https://10.0.0.8/x",
            "https://[::1]/x",
            "https://[::ffff:192.168.0.1]/x",
            "https://[64:ff9b::7f00:1]/x",
            "https://169.254.169.254/latest",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://user@bap.example.org/x",
            "https://user:secret@bap.example.org/x",
            "file:///etc/passwd",
            "gopher://bap.example.org",
            "bap.example.org",
            "https://./x",
            "https://127.0.0.1../x",
            "https://bap..example.org/x",
            "",
        ] {
            assert!(check(refused, false).is_err(), "{refused}");
        }
        assert!(check("https://bap.example.org:8443/beckn", false).is_ok());
        assert!(check("http://127.0.0.1:8080/bap", true).is_ok());
        assert!(check("http://user@127.0.0.1:8080/bap", true).is_err());
    }

    #[test]
    fn public_addresses_are_told_from_the_rest() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001:0:7f00:1::1",
            "2001:0:4136:e378:8000:63bf:80ff:fffe",
            "2001:2::1",
            "::ffff:10.0.0.1",
            "2002:a00:1::",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
