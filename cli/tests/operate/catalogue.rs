//! `catalogue load`.

use beckn_health::commands::client::Client;
use beckn_health::operator::{Deployment, catalogue};
use beckn_health::sample::{catalogue_json, sample_catalogue};
use beckn_health_domain::catalogue::Catalogue;
use serde_json::{Value, json};

use crate::{Local, within};

/// The sample with another seed, all of it moved to another city: some facilities have the ids of the first.
fn elsewhere() -> Catalogue {
    let sample = String::from_utf8(catalogue_json(&sample_catalogue(4, 7).unwrap()).unwrap()).unwrap();
    Catalogue::parse(sample.replace("std:080", "std:022").as_bytes()).unwrap()
}

async fn found_in(client: &Client, city: &str) -> usize {
    let place = json!({ "location": { "city": { "code": city }, "country": { "code": "IND" } } });
    let intent = json!({ "intent": {} });
    // Directly to the provider: the gateway asks those registered for the city.
    let mut context = place;
    context["bpp_id"] = json!("bpp.beckn-health.localhost");
    let searched = client.send("search", context, intent).await.unwrap();
    let found: Value = client.callback(&searched, "on_search").await.unwrap();
    let providers = found["catalog"]["providers"].as_array().cloned().unwrap_or_default();
    providers.iter().map(|provider| provider["items"].as_array().map_or(0, Vec::len)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_replaces_the_one_before_it_and_is_found() {
    let local = Local::start().await;
    let client = Client::with_token(&local.network.base_url(), Some(local.network.token().to_owned())).unwrap();
    assert!(found_in(&client, "std:080").await > 0);
    let new = elsewhere();
    let progress = std::sync::Mutex::new(Vec::new());
    let stored =
        catalogue::load(&local.deployment, &new, |stored| progress.lock().unwrap().push(stored)).await.unwrap();
    assert_eq!(*progress.lock().unwrap(), [4]);
    assert_eq!(
        (catalogue::in_words(&stored.cities), catalogue::in_words(&stored.removed)),
        ("std:022".into(), "std:080".into())
    );
    let published = catalogue::wait_until_published(&local.deployment, &new, &stored, |_| {});
    within("the snapshots", published).await.unwrap();
    // bpp-on-search looks for new versions every three seconds.
    within("the search to see them", async {
        while found_in(&client, "std:022").await == 0 || found_in(&client, "std:080").await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The same again changes nothing and is published already.
    let again = catalogue::load(&local.deployment, &new, |_| {}).await.unwrap();
    assert_eq!(again.removed, []);
    within("the snapshots", catalogue::wait_until_published(&local.deployment, &new, &again, |_| {})).await.unwrap();
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_there_are_named() {
    let local = Local::start().await;
    let nowhere = Deployment::at("beckn-health-prod".parse().unwrap(), &local.aws).await;
    let failure = catalogue::load(&nowhere, &elsewhere(), |_| {}).await.unwrap_err().0;
    assert!(failure.starts_with("storing the catalogue: there is no such thing at http://127.0.0.1:"), "{failure}");
    assert!(failure.contains("check --deployment (now beckn-health-prod)"), "{failure}");
    local.network.stop().await;
}
