//! Why a participant is not heard, or not believed: its clock, its row in the registry, its keys, its address.
//!
//! Invariant: looking changes nothing, neither at the registry nor at the participant.

use beckn_health_platform::clock::Clock;
use beckn_health_platform::egress::{self, is_public};
use beckn_health_protocol::challenge::EncryptionPublicKey;
use beckn_health_protocol::registry::{LookupRequest, Subscription};
use beckn_health_protocol::signature::{MAX_SKEW_SECONDS, SignatureError, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde_json::{Value, json};

use super::registry_client::{AskError, Asker, RegistryClient, knock};

/// A difference of clocks from which on a signature may be refused on a slow day, in milliseconds.
const UNEASY_SKEW: i128 = 2_000;
/// How long before its end a key is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, but not for long or not for all.
    Warn,
    /// It does not work.
    Fail,
}

impl Grade {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do, if anything.
    pub advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, grade: Grade::Ok, found: found.into(), advice: None }
    }

    /// Something that works, with what to do about it.
    pub(crate) fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, grade: Grade::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, grade: Grade::Fail, found: found.into(), advice: Some(advice.into()) }
    }

    /// The check as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "check": self.name, "result": self.grade.as_str(), "found": self.found, "do": self.advice })
    }
}

/// Looks at everything that can be seen from here. `url` is where the participant says it is reached; without it,
/// where the registry says.
pub async fn examine(asker: &Asker, registry: &RegistryClient, url: Option<&str>, clock: &dyn Clock) -> Vec<Check> {
    let mut checks = Vec::new();
    let asked_at = clock.now();
    match registry.keys().await {
        Ok((keys, told)) => {
            checks.push(clock_check(told.date(), asked_at, clock.now()));
            checks.push(Check::ok(
                "registry",
                format!("{} answers; {} signs with {}", registry.url(), keys.subscriber_id, keys.key_id),
            ));
        }
        Err(error) => checks.push(Check::fail("registry", error.to_string(), "nothing can be checked without it")),
    }
    checks.push(own_key(asker));
    let mut registered = None;
    if checks.iter().any(|check| check.name == "registry" && check.grade == Grade::Ok) {
        let (rows, found) = rows(asker, registry, clock.now()).await;
        checks.extend(rows);
        registered = found;
    }
    if let (Some(url), Some(registered)) = (url, &registered)
        && url.trim_end_matches('/') != registered.trim_end_matches('/')
    {
        checks.push(Check::fail(
            "url",
            format!("peers send to {registered}, as the registry has it, not to {url}"),
            "run `beckn-health join` with the right --url; the registry challenges it there",
        ));
    }
    match url.map(str::to_owned).or(registered) {
        Some(url) => {
            checks.push(address(&url, registry.url()).await);
            checks.push(reachable(&url).await);
        }
        None => checks.push(Check::warn(
            "reachable",
            "not looked at: the registry told no URL of ours",
            "name it with --url to have it looked at",
        )),
    }
    checks
}

/// Our clock beside the registry's, which shows whole seconds.
fn clock_check(theirs: Option<Timestamp>, asked_at: Timestamp, answered_at: Timestamp) -> Check {
    const NAME: &str = "clock";
    let Some(theirs) = theirs else {
        return Check::warn(
            NAME,
            "the registry's answer has no Date to compare with",
            "see that the clock is set by NTP",
        );
    };
    // Somewhere in the second it shows, somewhere between question and answer.
    let (earliest, latest) = (theirs, theirs.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX));
    let milliseconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_millis();
    let ahead = milliseconds(latest, asked_at).max(0);
    let behind = milliseconds(answered_at, earliest).max(0);
    let off = ahead.max(behind);
    let way = if ahead >= behind { "ahead of" } else { "behind" };
    let found = format!("our clock is {}.{} s {way} the registry's", off / 1_000, off % 1_000 / 100);
    let set = "set the clock (NTP): signatures are dated, and those of the future are refused";
    if off > i128::from(MAX_SKEW_SECONDS) * 1_000 {
        Check::fail(NAME, found, set)
    } else if off > UNEASY_SKEW {
        Check::warn(NAME, found, set)
    } else {
        Check::ok(NAME, "our clock and the registry's agree")
    }
}

/// Whether the active key can do all that a participant's must.
fn own_key(asker: &Asker) -> Check {
    let key = asker.ring.active();
    match &key.encryption {
        Some(_) => Check::ok("key", format!("{} signs with {}", asker.subscriber_id, key.key_id)),
        None => Check::warn(
            "key",
            format!("{} signs with {}, which has no encryption half", asker.subscriber_id, key.key_id),
            "it cannot answer the registry's challenges; `beckn-health keys rotate` makes one that can",
        ),
    }
}

/// Our rows at the registry, and the URL in that of the active key.
async fn rows(asker: &Asker, registry: &RegistryClient, now: Timestamp) -> (Vec<Check>, Option<String>) {
    const NAME: &str = "row";
    let key = asker.ring.active();
    let wanted = LookupRequest { subscriber_id: Some(asker.subscriber_id.clone()), ..LookupRequest::default() };
    let rows = match registry.lookup(asker, &wanted, now).await {
        Ok(rows) => rows,
        Err(AskError::Refused { status: 401, reason, .. }) => {
            let mismatch = reason.contains(&SignatureError::Mismatch.to_string());
            let (name, advice) = if mismatch {
                (
                    "key match",
                    "the registry has other keys under this key_id: use the key file that was registered, or have \
                     the new key listed under a key_id of its own",
                )
            } else {
                (
                    NAME,
                    "if it was never listed: `beckn-health join`; if its key has ended or was given up: make another \
                     with `beckn-health keys new` and join with that",
                )
            };
            let found = format!("the registry does not accept a signature by {}: {reason}", key.key_id);
            return (vec![Check::fail(name, found, advice)], None);
        }
        Err(error) => {
            let advice = "ask again in a minute; then ask who runs the registry";
            return (vec![Check::fail(NAME, error.to_string(), advice)], None);
        }
    };
    let ours = |row: &&Subscription| row.key_id.as_ref() == Some(&key.key_id) && row.is_in_force(now);
    let Some(row) = rows.iter().find(ours) else {
        let listed: Vec<String> = rows.iter().filter_map(|row| row.key_id.as_ref().map(ToString::to_string)).collect();
        let found = format!("the key {} is not listed; listed are: {}", key.key_id, list(&listed));
        return (vec![Check::fail(NAME, found, "`beckn-health keys rotate` lists a key, `join` a participant")], None);
    };
    let mut checks = vec![row_check(row, now), key_match(asker, row), encryption_match(asker, row)];
    let others: Vec<String> = rows
        .iter()
        .filter(|other| other.key_id != row.key_id && other.is_in_force(now))
        .filter_map(|other| {
            let until = other.valid_until.map_or_else(String::new, |until| format!(" until {until}"));
            Some(format!("{}{until}", other.key_id.as_ref()?))
        })
        .collect();
    if !others.is_empty() {
        checks.push(Check::ok("other keys", format!("in force too: {}", list(&others))));
    }
    (checks, row.url.clone())
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn row_check(row: &Subscription, now: Timestamp) -> Check {
    let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let until = row.valid_until.map_or_else(|| "without end".to_owned(), |until| format!("until {until}"));
    let found = format!(
        "{} as {} at {}, {until}",
        text(row.status.as_ref().map(ToString::to_string)),
        text(row.r#type.as_ref().map(ToString::to_string)),
        text(row.url.clone()),
    );
    match row.valid_until {
        Some(until) if until.duration_since(now) < SOON => {
            Check::warn("row", found, "the key ends soon: `beckn-health keys rotate`")
        }
        _ => Check::ok("row", found),
    }
}

fn key_match(asker: &Asker, row: &Subscription) -> Check {
    let key = asker.ring.active();
    let listed = row.signing_public_key.as_deref().and_then(|key| VerifyingKey::from_base64(key).ok());
    if listed.is_some_and(|listed| listed == key.signing.verifying_key()) {
        return Check::ok("key match", "the registry lists our signing key");
    }
    Check::fail(
        "key match",
        format!("the registry lists another signing key as {}", key.key_id),
        "use the key file that was registered, or list this key under a key_id of its own",
    )
}

fn encryption_match(asker: &Asker, row: &Subscription) -> Check {
    const NAME: &str = "encryption key";
    let listed = row.encr_public_key.as_deref().map(EncryptionPublicKey::from_base64);
    let ours = asker.ring.active().encryption.as_ref().map(|key| key.public_key());
    match (listed, ours) {
        (Some(Ok(listed)), Some(ours)) if listed == ours => Check::ok(NAME, "the registry lists our encryption key"),
        (None, _) => Check::warn(
            NAME,
            "the registry lists none for this key",
            "it cannot challenge this key; `beckn-health keys rotate` lists one that it can",
        ),
        (Some(Err(error)), _) => {
            Check::fail(NAME, format!("what the registry lists is none: {error}"), "list a new key: `keys rotate`")
        }
        (Some(Ok(_)), Some(_)) => Check::fail(
            NAME,
            "the registry lists another one",
            "challenges cannot be read: use the key file that was registered, or `beckn-health keys rotate`",
        ),
        (Some(Ok(_)), None) => Check::fail(
            NAME,
            "the registry lists one, and the key file has none",
            "challenges cannot be read: use the key file that was registered, or `beckn-health keys rotate`",
        ),
    }
}

/// Whether the network may send to this address: beside a registry of a private network, private addresses are
/// right.
async fn address(url: &str, registry_url: &str) -> Check {
    const NAME: &str = "address";
    if let Err(error) = egress::check(url, true) {
        return Check::fail(NAME, format!("{url}: {error}"), "join with the address peers can post to");
    }
    let problem = match egress::check(url, false) {
        Err(error) => Some(error.to_string()),
        Ok(url) => resolves_privately(&url).await,
    };
    let Some(problem) = problem else {
        return Check::ok(NAME, format!("{url} is https at a public address"));
    };
    let registry_is_private = match egress::check(registry_url, false) {
        Err(_) => true,
        Ok(url) => resolves_privately(&url).await.is_some(),
    };
    if registry_is_private {
        Check::ok(NAME, format!("{url} is for a private network, as the registry is"))
    } else {
        Check::warn(
            NAME,
            format!("{url}: {problem}"),
            "participants of a public network do not send there: use https with a public address",
        )
    }
}

/// Why the name in a URL leads to no public address, if it does not.
async fn resolves_privately(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match tokio::net::lookup_host((bare, url.port_or_known_default().unwrap_or(443))).await {
        Err(error) => Some(format!("the name does not resolve here: {error}")),
        Ok(mut found) => found
            .find(|address| !is_public(address.ip()))
            .map(|address| format!("the name resolves to the private address {}", address.ip())),
    }
}

/// Whether somebody answers at `on_subscribe`, and refuses who has not signed.
async fn reachable(url: &str) -> Check {
    const NAME: &str = "reachable";
    let serve = "serve POST {url}/on_subscribe there: the registry and peers must reach it";
    match knock(url).await {
        Err(error) => Check::fail(
            NAME,
            match error {
                AskError::Silent { url, problem } => format!("{url} does not answer: {problem}"),
                other => other.to_string(),
            },
            "see that the participant runs, and what stands between: name, port, firewall, certificate",
        ),
        Ok(told) => match told.status {
            404 | 405 => Check::fail(NAME, format!("{url}/on_subscribe is not served (status {})", told.status), serve),
            400..=499 => Check::ok(
                NAME,
                format!("{url}/on_subscribe answers, and refuses who has not signed (status {})", told.status),
            ),
            200..=299 => Check::warn(
                NAME,
                format!("{url}/on_subscribe took a message without a signature (status {})", told.status),
                "believe nothing there that the registry has not signed",
            ),
            300..=399 => Check::fail(
                NAME,
                format!("{url}/on_subscribe redirects (status {})", told.status),
                "nobody follows redirects: register the address it leads to",
            ),
            status => Check::fail(
                NAME,
                format!("{url}/on_subscribe failed (status {status}): {}", told.reason()),
                "look at the log of the participant",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clocks_are_compared_within_what_a_date_tells() {
        let grade = |theirs: &str, asked_at: &str, answered_at: &str| {
            let [theirs, asked_at, answered_at] = [theirs, asked_at, answered_at].map(|at| at.parse().unwrap());
            let check = clock_check(Some(theirs), asked_at, answered_at);
            (check.grade, check.found)
        };
        let date = "2026-11-23T03:00:00Z";
        assert_eq!(grade(date, "2026-11-23T03:00:00.9Z", "2026-11-23T03:00:00.95Z").0, Grade::Ok);
        // A slow answer says nothing of the clock.
        assert_eq!(grade(date, "2026-11-23T02:59:50Z", "2026-11-23T03:00:09Z").0, Grade::Ok);
        let (grade_ahead, found) = grade(date, "2026-11-23T03:00:04.5Z", "2026-11-23T03:00:04.6Z");
        assert_eq!((grade_ahead, found.as_str()), (Grade::Warn, "our clock is 3.5 s ahead of the registry's"));
        let (grade_behind, found) = grade(date, "2026-11-23T02:58:59Z", "2026-11-23T02:59:00Z");
        assert_eq!((grade_behind, found.as_str()), (Grade::Fail, "our clock is 60.0 s behind the registry's"));
        let now = date.parse().unwrap();
        assert_eq!(clock_check(None, now, now).grade, Grade::Warn);
    }

    #[tokio::test]
    async fn private_addresses_are_told() {
        let local = "http://127.0.0.1:8080/registry";
        let public = "https://1.1.1.1/registry";
        assert_eq!(address("http://127.0.0.1:8080/bap", local).await.grade, Grade::Ok);
        assert_eq!(address("http://127.0.0.1:8080/bap", public).await.grade, Grade::Warn);
        assert_eq!(address("https://10.0.0.8/bap", public).await.grade, Grade::Warn);
        assert_eq!(address("https://1.0.0.1/bap", public).await.grade, Grade::Ok);
        assert_eq!(address("https://me@bap.example/x", public).await.grade, Grade::Fail);
    }

    #[test]
    fn a_key_that_ends_soon_is_warned_of() {
        let now: Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
        let row = |until: &str| Subscription { valid_until: until.parse().ok(), ..Subscription::default() };
        assert_eq!(row_check(&row("2026-11-25T00:00:00Z"), now).grade, Grade::Warn);
        assert_eq!(row_check(&row("2027-11-25T00:00:00Z"), now).grade, Grade::Ok);
        assert_eq!(row_check(&Subscription::default(), now).grade, Grade::Ok);
    }
}
