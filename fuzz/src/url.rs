//! The policy of the URLs a message may be posted to.

use std::net::{Ipv4Addr, Ipv6Addr};

use beckn_health_platform::egress;
use url::{Host, Url};

/// What is accepted is https to a public literal or to a name, carries no user information, and is accepted as it
/// is written; what private addresses are is said here a second time, from the registries of special addresses.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let open = egress::check(text, true);
    let Ok(url) = egress::check(text, false) else {
        if let Ok(url) = open {
            assert!(matches!(url.scheme(), "https" | "http"));
            sound(&url);
        }
        return;
    };
    assert_eq!(open.ok().as_ref(), Some(&url), "refused where more is allowed");
    assert_eq!(url.scheme(), "https");
    sound(&url);
    match url.host() {
        Some(Host::Ipv4(v4)) => assert!(!is_special_v4(v4), "{v4} is accepted"),
        Some(Host::Ipv6(v6)) => assert!(!is_special_v6(v6), "{v6} is accepted"),
        // No reader may take the name for an address: a resolver would, without asking anyone.
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            assert!(!name.split('.').any(str::is_empty), "{name} has an empty label");
            let last = name.rsplit('.').next().unwrap_or_default();
            assert!(!last.bytes().all(|byte| byte.is_ascii_digit()), "{name} ends in a number");
        }
        None => assert!(url.has_host(), "{url} has no host"),
    }
    let again = egress::check(url.as_str(), false);
    assert_eq!(again.ok().as_ref(), Some(&url), "accepted, and refused as it is written");
}

fn sound(url: &Url) {
    assert!(url.username().is_empty() && url.password().is_none(), "user information is accepted");
    let authority = url.as_str().split('/').nth(2).unwrap_or_default();
    assert!(!authority.contains('@') && !authority.contains('\\'), "{authority} is accepted");
    assert!(url.as_str().bytes().all(|byte| (0x21..0x7f).contains(&byte)), "written with other than printable ASCII");
}

/// The IANA registry of special IPv4 addresses, those not globally reachable, and multicast.
fn is_special_v4(v4: Ipv4Addr) -> bool {
    let number = u32::from(v4);
    let within = |network: [u8; 4], bits: u32| number >> (32 - bits) == u32::from_be_bytes(network) >> (32 - bits);
    within([0, 0, 0, 0], 8)
        || within([10, 0, 0, 0], 8)
        || within([100, 64, 0, 0], 10)
        || within([127, 0, 0, 0], 8)
        || within([169, 254, 0, 0], 16)
        || within([172, 16, 0, 0], 12)
        || within([192, 0, 0, 0], 24)
        || within([192, 0, 2, 0], 24)
        || within([192, 168, 0, 0], 16)
        || within([198, 18, 0, 0], 15)
        || within([198, 51, 100, 0], 24)
        || within([203, 0, 113, 0], 24)
        || within([224, 0, 0, 0], 3)
}

/// The same of IPv6; those that hold an IPv4 address are as special as it is.
fn is_special_v6(v6: Ipv6Addr) -> bool {
    let number = u128::from(v6);
    let within = |network: &str, bits: u32| {
        network.parse::<Ipv6Addr>().is_ok_and(|network| number >> (128 - bits) == u128::from(network) >> (128 - bits))
    };
    let v4_at = |shift: u32| is_special_v4(Ipv4Addr::from_bits((number >> shift) as u32));
    let holds_v4 = within("::", 96) || within("::ffff:0:0", 96) || within("64:ff9b::", 96);
    if holds_v4 {
        return v4_at(0);
    }
    if within("2002::", 16) {
        return v4_at(80);
    }
    !within("2000::", 3) || within("2001::", 23) || within("2001:db8::", 32) || within("3fff::", 20)
}
