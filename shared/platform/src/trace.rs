//! The trace a message belongs to, as AWS X-Ray writes it (`x-amzn-trace-id`, `AWSTraceHeader`).
//!
//! Invariant: a [`Trace`] is well-formed, whoever sent it, so it may be logged and put into a header
//! unchecked. A peer chooses its root at most; nothing else of its header is carried on.

use std::fmt;

use http::HeaderMap;
use jiff::Timestamp;

/// The header that carries a trace over HTTP.
pub const HEADER: &str = "x-amzn-trace-id";
/// The header of W3C Trace Context, which is read when there is no [`HEADER`].
const TRACEPARENT: &str = "traceparent";

/// A trace: its root, and the segment and sampling decision of whoever sent it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    root: String,
    parent: Option<String>,
    sampled: Option<bool>,
}

impl Trace {
    /// A trace that begins here.
    pub fn fresh(now: Timestamp, id: uuid::Uuid) -> Self {
        let id = id.simple().to_string();
        let seconds = u32::try_from(now.as_second()).unwrap_or_default();
        Self { root: format!("1-{seconds:08x}-{}", &id[8..]), parent: None, sampled: None }
    }

    /// Reads `Root=…;Parent=…;Sampled=…`, in any order and with other fields between; `None` without a
    /// well-formed root.
    pub fn parse(header: &str) -> Option<Self> {
        let (mut root, mut parent, mut sampled) = (None, None, None);
        for field in header.split(';') {
            match field.trim().split_once('=') {
                Some(("Root", value)) => root = is_root(value).then(|| value.to_owned()),
                Some(("Parent", value)) => parent = is_hex(value, 16).then(|| value.to_owned()),
                Some(("Sampled", "1")) => sampled = Some(true),
                Some(("Sampled", "0")) => sampled = Some(false),
                _ => {}
            }
        }
        Some(Self { root: root?, parent, sampled })
    }

    /// Reads a W3C `traceparent`: the same 128 bits in another spelling.
    fn parse_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        if !is_hex(version, 2) || version == "ff" || !is_hex(id, 32) || zero(id) || !is_hex(parent, 16) || zero(parent)
        {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok().filter(|_| flags.len() == 2)? & 1 == 1;
        Some(Self {
            root: format!("1-{}-{}", &id[..8], &id[8..]),
            parent: Some(parent.to_owned()),
            sampled: Some(sampled),
        })
    }

    /// The trace of a request, from either header.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        text(HEADER).and_then(Self::parse).or_else(|| text(TRACEPARENT).and_then(Self::parse_traceparent))
    }

    /// What all hops of the trace have in common: `1-<8 hex>-<24 hex>`.
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// The form of [`HEADER`] and of SQS's `AWSTraceHeader`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        match self.sampled {
            Some(sampled) => write!(f, ";Sampled={}", u8::from(sampled)),
            None => Ok(()),
        }
    }
}

fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    let form = parts.next() == Some("1")
        && parts.next().is_some_and(|seconds| is_hex(seconds, 8))
        && parts.next().is_some_and(|id| is_hex(id, 24));
    form && parts.next().is_none()
}

/// Lower-case hexadecimal digits of this number, as both headers have them.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn a_trace_is_carried_on_as_it_came() {
        for header in [
            format!("Root={ROOT}"),
            format!("Root={ROOT};Sampled=0"),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
        ] {
            let trace = Trace::parse(&header).unwrap();
            assert_eq!((trace.to_string(), trace.root()), (header, ROOT));
        }
        let proxied = format!("Self=1-67891234-12456789abcdef012345678;Root={ROOT}; Sampled=?;Lineage=a:b");
        assert_eq!(Trace::parse(&proxied).unwrap().to_string(), format!("Root={ROOT}"));
    }

    #[test]
    fn what_is_no_trace_is_not_carried_on() {
        for header in
            ["", "Root=", "Root=Nila Raman", "Root=1-5759e988-bd862e3fe1be46a99427279", "Parent=53995c3f42cd8ad8"]
        {
            assert_eq!(Trace::parse(header), None, "{header}");
        }
        for header in [
            format!("Root={ROOT}0"),
            format!("Root={ROOT}-0"),
            ROOT.to_owned(),
            format!("Root={}", ROOT.to_uppercase()),
        ] {
            assert_eq!(Trace::parse(&header), None, "{header}");
        }
        assert_eq!(Trace::parse(&format!("Root={ROOT};Parent=Nila")).unwrap().to_string(), format!("Root={ROOT}"));
    }

    #[test]
    fn the_other_spelling_is_the_same_trace() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01".parse().unwrap());
        let trace = Trace::of_headers(&headers).unwrap();
        assert_eq!(trace.to_string(), format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"));
        let other = "1-00000001-000000000000000000000001";
        headers.insert(HEADER, format!("Root={other}").parse().unwrap());
        assert_eq!(Trace::of_headers(&headers).unwrap().root(), other, "X-Ray's own header comes first");
        for wrong in [
            "00-00000000000000000000000000000000-53995c3f42cd8ad8-01",
            "ff-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-é",
            "00-5759e988bd862e3fe1be46a994272793",
        ] {
            assert_eq!(Trace::parse_traceparent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_fresh_trace_says_when_it_began() {
        let now: Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
        let trace = Trace::fresh(now, uuid::Uuid::from_u128(0x0123_4567_89ab_4cde_8f01_2345_6789_abcd));
        assert_eq!(trace.root(), format!("1-{:08x}-89ab4cde8f0123456789abcd", now.as_second()));
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    }
}
