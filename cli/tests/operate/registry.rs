//! `registry add`, `registry list` and `registry remove`.

use beckn_health::network::identity::new_key;
use beckn_health::operator::Deployment;
use beckn_health::operator::participants::{self, Which};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use jiff::SignedDuration;

use crate::{Local, now};

fn row(id: &str, key_id: &str, r#type: SubscriberType) -> Subscription {
    Subscription {
        subscriber_id: id.parse().ok(),
        key_id: key_id.parse().ok(),
        r#type: Some(r#type),
        url: Some(format!("https://{id}/beckn")),
        signing_public_key: Some(new_key("k1".parse().unwrap()).signing.verifying_key().to_base64()),
        ..Subscription::default()
    }
}

fn ids(rows: &[Subscription]) -> Vec<String> {
    let id = |row: &Subscription| format!("{}/{}", row.subscriber_id.as_ref().unwrap(), row.key_id.as_ref().unwrap());
    rows.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_entered_listed_and_given_up() {
    let local = Local::start().await;
    let registry = &local.deployment;
    let four = participants::list(registry, Which::All).await.unwrap();
    assert_eq!(four.len(), 4, "{:?}", ids(&four));

    let added = participants::add(registry, row("lab.example", "k1", SubscriberType::Bpp), now()).await.unwrap();
    assert_eq!((added.created, added.status.as_ref()), (added.updated, Some(&SubscriptionStatus::Subscribed)));
    participants::add(registry, row("lab.example", "k2", SubscriberType::Bpp), now()).await.unwrap();
    participants::add(registry, row("app.example", "k1", SubscriberType::Bap), now()).await.unwrap();

    let of = Which::Of("lab.example".parse().unwrap());
    assert_eq!(ids(&participants::list(registry, of.clone()).await.unwrap()), ["lab.example/k1", "lab.example/k2"]);
    let bpps = participants::list(registry, Which::Type(SubscriberType::Bpp)).await.unwrap();
    assert_eq!(ids(&bpps), ["bpp.beckn-health.localhost/bpp-key-1", "lab.example/k1", "lab.example/k2"]);
    assert_eq!(participants::list(registry, Which::All).await.unwrap().len(), 7);

    // The same key again keeps when it was first entered.
    let later = now() + SignedDuration::from_secs(5);
    let again = participants::add(registry, row("lab.example", "k1", SubscriberType::Bpp), later).await.unwrap();
    assert_eq!((again.created, again.updated), (added.created, Some(later)));

    let lab = "lab.example".parse().unwrap();
    let key = "k1".parse().unwrap();
    assert_eq!(ids(&participants::remove(registry, &lab, Some(&key), now()).await.unwrap()), ["lab.example/k1"]);
    assert_eq!(participants::remove(registry, &lab, Some(&key), now()).await.unwrap(), [], "it was given up before");
    assert_eq!(ids(&participants::remove(registry, &lab, None, now()).await.unwrap()), ["lab.example/k2"]);
    let gone = participants::list(registry, of).await.unwrap();
    assert!(gone.iter().all(|row| row.status == Some(SubscriptionStatus::Unsubscribed)), "kept, and given up");
    assert_eq!(gone.len(), 2);
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_can_be_entered_again() {
    let local = Local::start().await;
    let registry = &local.deployment;
    let app = "app.example".parse().unwrap();
    participants::add(registry, row("app.example", "k1", SubscriberType::Bap), now()).await.unwrap();
    participants::remove(registry, &app, None, now()).await.unwrap();
    participants::add(registry, row("app.example", "k1", SubscriberType::Bap), now()).await.unwrap();
    let rows = participants::list(registry, Which::Of(app)).await.unwrap();
    assert!(rows[0].is_in_force(now()) && rows.len() == 1);
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_nowhere_are_told() {
    let local = Local::start().await;
    let nobody = "nobody.example".parse().unwrap();
    let failure = participants::remove(&local.deployment, &nobody, None, now()).await.unwrap_err().0;
    assert!(failure.contains("knows no nobody.example; see `beckn-health registry list`"), "{failure}");
    let nowhere = Deployment::at("beckn-health-prod".parse().unwrap(), &local.aws).await;
    let failure = participants::list(&nowhere, Which::All).await.unwrap_err().0;
    assert!(failure.contains("check --deployment (now beckn-health-prod)"), "{failure}");
    local.network.stop().await;
}
