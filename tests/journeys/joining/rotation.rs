//! Our own keys are rotated while messages are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use beckn_health::network::identity::{Role, new_key};
use beckn_health_platform::participant::rotation::{OVERLAP, Rotation, SHORTEST_OVERLAP, Step};
use beckn_health_protocol::ids::KeyId;
use beckn_health_protocol::signature::AuthorizationHeader;
use beckn_health_tests::app::App;
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::within;
use jiff::SignedDuration;
use serde_json::json;

use super::newcomer::listed;

/// Rotates the key of a role; the clock moves on while it waits.
async fn rotate(network: &TestNetwork, role: Role, name: &str, overlap: SignedDuration) -> Result<Vec<Step>, String> {
    let deps = network.role(role);
    let store = network.keys(role);
    let registry_url = format!("{}/registry", network.url());
    let rotation = Rotation {
        store: store.as_ref(),
        subscriber_id: &deps.participant.subscriber_id,
        registry_url: &registry_url,
        egress: &deps.egress,
        clock: deps.clock.as_ref(),
        overlap,
    };
    let mut steps = Vec::new();
    let pause = async |time: std::time::Duration| {
        // Whatever the registry has to do meanwhile, it does.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        network.advance(SignedDuration::try_from(time).unwrap());
    };
    let rotated = rotation.rotate(new_key(KeyId::parse(name).unwrap()), |step| steps.push(step), pause).await;
    rotated.map(|()| steps).map_err(|error| error.to_string())
}

/// The key that signed the last message a stranger heard.
fn last_key(stranger: &Stranger) -> String {
    let received = stranger.received();
    let header = received.last().unwrap().headers["authorization"].to_str().unwrap();
    AuthorizationHeader::parse(header).unwrap().key_id.key_id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_rotated_under_load_and_no_message_is_refused() {
    const MESSAGES: usize = 200;
    let network = Arc::new(TestNetwork::start().await);
    let stranger = Stranger::bpp(&network, "bpp.stranger.example").await;
    let to_stranger = json!({ "bpp_id": stranger.id });
    let to_ours = json!({ "bpp_id": network.id(Role::Bpp) });
    let app = App::of(&network);
    app.accepted("search", to_stranger.clone(), json!({ "intent": {} })).await;
    assert_eq!(last_key(&stranger), "bap-key-1");

    let (sent, rotated) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (network, context) = (network.clone(), to_ours.clone());
            let (sent, rotated) = (sent.clone(), rotated.clone());
            tokio::spawn(async move {
                let app = App::of(&network);
                // As many as it takes, and on until the new key has signed some of them.
                while sent.fetch_add(1, Ordering::SeqCst) < MESSAGES || !rotated.load(Ordering::SeqCst) {
                    app.accepted("search", context.clone(), json!({ "intent": {} })).await;
                }
            })
        })
        .collect();
    while sent.load(Ordering::SeqCst) < MESSAGES / 4 {
        tokio::task::yield_now().await;
    }
    let steps = within("the rotation", rotate(&network, Role::Bap, "bap-key-2", OVERLAP)).await.unwrap();
    let names: Vec<&Step> = steps.iter().collect();
    assert!(
        matches!(names.as_slice(), [Step::Kept(_), Step::Asked, Step::Served, Step::Active, Step::Ends(old, _)] if old.as_str() == "bap-key-1"),
        "{steps:?}"
    );
    // Within a minute every function signs with it.
    network.advance(SignedDuration::from_secs(60));
    let before = sent.load(Ordering::SeqCst);
    while sent.load(Ordering::SeqCst) < before.max(MESSAGES) + 50 {
        assert!(senders.iter().all(|sender| !sender.is_finished()), "a message was refused");
        tokio::task::yield_now().await;
    }
    rotated.store(true, Ordering::SeqCst);
    for sender in senders {
        within("the messages", sender).await.unwrap();
    }
    app.accepted("search", to_stranger, json!({ "intent": {} })).await;
    assert_eq!(last_key(&stranger), "bap-key-2");
    let both = ["bap.beckn-health.localhost|bap-key-1", "bap.beckn-health.localhost|bap-key-2"];
    assert_eq!(listed(&network, json!({ "subscriber_id": network.id(Role::Bap) })).await, both);
    network.idle().await;
    network.advance(OVERLAP);
    assert_eq!(listed(&network, json!({ "subscriber_id": network.id(Role::Bap) })).await, both[1..]);
    assert_eq!(network.queued().await, 0, "nothing lies in a dead-letter queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_is_rotated_and_a_second_time_too() {
    let network = TestNetwork::start().await;
    for role in [Role::Bap, Role::Bpp, Role::Gateway] {
        for number in 2..4 {
            let name = format!("{}-key-{number}", role.path());
            rotate(&network, role, &name, SHORTEST_OVERLAP).await.unwrap();
            network.advance(SignedDuration::from_secs(60));
            assert_eq!(network.keys(role).ring().unwrap().active().key_id.as_str(), name);
            network.role(role).participant.sign(b"{}", network.now()).await.unwrap();
        }
    }
    // The whole way with the new keys: through the gateway to the provider and back.
    let app = App::of(&network);
    let found = app.ask("search", json!({}), json!({ "intent": {} })).await;
    assert_eq!(found["context"]["bpp_id"], network.id(Role::Bpp).as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_be_done_leaves_the_key_as_it_was() {
    let network = TestNetwork::start().await;
    let refused = async |name: &str, overlap| rotate(&network, Role::Bap, name, overlap).await.unwrap_err();
    assert!(refused("k2", SignedDuration::from_secs(60)).await.contains("overlap"));
    assert!(refused("bap-key-1", OVERLAP).await.contains("another key_id"));
    // The registry's own row cannot be asked for from itself.
    assert!(rotate(&network, Role::Registry, "k2", OVERLAP).await.is_err());
    assert_eq!(network.keys(Role::Bap).ring().unwrap().active().key_id.as_str(), "bap-key-1");
    App::of(&network).ask("search", json!({}), json!({ "intent": {} })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_keys_are_kept_in_a_file_that_only_its_owner_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let setup = || Setup { data: Some(folder.path().to_owned()), ..Setup::default() };
    let network = TestNetwork::with(setup()).await;
    rotate(&network, Role::Bap, "bap-key-2", OVERLAP).await.unwrap();
    let path = folder.path().join("keys/bap.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    network.stop().await;
    assert_eq!(std::fs::read_dir(folder.path().join("keys")).unwrap().count(), 4, "nothing else lies beside them");
    // A key file of before there were encryption keys and rings is read, and made whole.
    let old = folder.path().join("keys/gateway.json");
    let ring = beckn_health_platform::participant::ring::KeyRing::parse(&std::fs::read(&old).unwrap(), None).unwrap();
    let single = json!({
        "subscriber_id": ring.subscriber_id,
        "key_id": ring.active().key_id,
        "signing_private_key": ring.active().signing.to_base64(),
    });
    std::fs::write(&old, single.to_string()).unwrap();

    let now = network_now_after_rotation();
    let network = TestNetwork::with(Setup { now, ..setup() }).await;
    assert_eq!(network.keys(Role::Bap).ring().unwrap().active().key_id.as_str(), "bap-key-2");
    assert!(network.keys(Role::Gateway).ring().unwrap().active().encryption.is_some());
    let found = App::of(&network).ask("search", json!({}), json!({ "intent": {} })).await;
    assert_eq!(found["context"]["bpp_id"], network.id(Role::Bpp).as_str());
    network.stop().await;
}

/// Later than anything that happened before the network was stopped.
fn network_now_after_rotation() -> jiff::Timestamp {
    beckn_health_tests::fixture::monday() + SignedDuration::from_mins(30)
}
