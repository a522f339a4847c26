//! What registries answer and are asked: subscriptions, lookups, challenges.

use beckn_health_protocol::registry::{
    Listed, LookupRequest, OnSubscribe, OnSubscribeAnswer, Registration, RegistryKeys, SubscribeRequest,
    SubscribeResponse, Subscription, SubscriptionStatus,
};
use jiff::Timestamp;
use serde::Serialize;

/// Whatever is read is written so that it is read alike; a row is found by what it says itself.
pub(crate) fn run(input: &[u8]) {
    if let Ok(listed) = Listed::parse(input) {
        let entries = listed.entries;
        for entry in &entries {
            row(entry);
        }
        assert_eq!(Listed::parse(&written(&entries)), Ok(Listed { entries, unreadable: Vec::new() }));
    }
    if let Ok(request) = LookupRequest::parse(input) {
        assert_eq!(LookupRequest::parse(&written(&request)).as_ref(), Ok(&request));
    }
    if let Ok(request) = SubscribeRequest::parse(input) {
        assert_eq!(SubscribeRequest::parse(&request.to_bytes()).as_ref(), Ok(&request));
    }
    if let Ok(answer) = SubscribeResponse::parse(input) {
        assert_eq!(SubscribeResponse::parse(&written(&answer)).as_ref(), Ok(&answer));
    }
    if let Ok(challenge) = OnSubscribe::parse(input) {
        assert_eq!(OnSubscribe::parse(&written(&challenge)).as_ref(), Ok(&challenge));
    }
    if let Ok(answer) = OnSubscribeAnswer::parse(input) {
        assert_eq!(OnSubscribeAnswer::parse(&written(&answer)).as_ref(), Ok(&answer));
    }
    if let Ok(keys) = RegistryKeys::parse(input) {
        assert_eq!(RegistryKeys::parse(&written(&keys)).as_ref(), Ok(&keys));
    }
}

fn row(entry: &Subscription) {
    assert!(LookupRequest::from(entry.clone()).matches(entry), "a row is not found by what it says");
    assert!(LookupRequest::default().matches(entry));
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        if entry.is_in_force(now) {
            assert_eq!(entry.status, Some(SubscriptionStatus::Subscribed));
            assert!(entry.valid_from.is_none_or(|from| from <= now));
            assert!(entry.valid_until.is_none_or(|until| now < until));
        }
    }
    if let Ok(registration) = Registration::from_subscription(entry.clone()) {
        let listed = registration.to_subscription(SubscriptionStatus::Subscribed);
        assert_eq!(listed.subscriber_id, entry.subscriber_id);
        assert_eq!(Listed::parse(&written(&listed)), Ok(Listed { entries: vec![listed], unreadable: Vec::new() }));
    }
}

fn written<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
