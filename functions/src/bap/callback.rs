//! What all callback receivers share.
//!
//! Invariant: a callback is believed only when its transaction is ours, its sender was asked, and
//! its message id was sent to it (or the callback is one that a provider may send unasked). The same
//! bytes twice get the same ACK; other bytes under a known message id change nothing.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{Request, Response};
use beckn_health_platform::receive::{acknowledged, nack, receive, unavailable};
use beckn_health_platform::store::transactions::{Known, Received, Recorded, Transactions};
use beckn_health_protocol::action::{Callback, Verb};
use beckn_health_protocol::error::Code;
use beckn_health_protocol::ids::SubscriberId;
use beckn_health_protocol::signature;
use http::StatusCode;
use tracing::error;

/// Verifies a callback and records it.
pub(super) async fn record(deps: &Deps, request: Request, callback: Callback) -> Response {
    let verified = match receive(deps, request, Verb::Callback(callback)).await {
        Ok(verified) => verified,
        Err(response) => return response,
    };
    let refuse = |path: &str, message: String| nack(StatusCode::OK, Code::InvalidRequest, path, message);
    let context = &verified.context;
    let Some(message_id) = context.message_id.clone() else {
        return refuse("context.message_id", "expected the message id".to_owned());
    };
    let Some(transaction_id) = context.transaction_id.clone() else {
        return refuse("context.transaction_id", "expected the transaction id".to_owned());
    };
    let transactions = Transactions::new(deps.tables.clone());
    let fault = |fault| {
        error!(transaction_id = %transaction_id, message_id = %message_id, action = %callback, %fault, "callback not recorded");
        unavailable()
    };
    let known = match transactions.known(&transaction_id, callback.request(), &message_id).await {
        Ok(Some(known)) => known,
        Ok(None) => return refuse("context.transaction_id", "no transaction of ours has this id".to_owned()),
        Err(problem) => return fault(problem),
    };
    if let Err((path, message)) = expected(callback, &known, &verified.subscriber) {
        return refuse(path, message);
    }
    let digest = signature::digest(&verified.raw);
    let received = Received {
        callback,
        message_id: message_id.clone(),
        bpp_id: verified.subscriber,
        body: verified.raw.to_vec(),
        at: deps.clock.now(),
    };
    match transactions.record(&transaction_id, &received, &digest).await {
        Ok(Recorded::Contradiction) => refuse(
            "context.message_id",
            "this message id was used before with another body; nothing was changed".to_owned(),
        ),
        Ok(Recorded::New | Recorded::Duplicate) => acknowledged(),
        Err(problem) => fault(problem),
    }
}

/// Whether this provider may send this callback now.
fn expected(callback: Callback, known: &Known, sender: &SubscriberId) -> Result<(), (&'static str, String)> {
    let asked = known.bpps.contains(sender);
    // What was sent to none of the providers we named went through a gateway, to providers we do not know.
    let broadcast = |to: &str| !known.bpps.iter().any(|bpp| bpp.as_str() == to);
    match (callback, known.sent_to.as_deref()) {
        (Callback::OnSearch, Some(to)) if broadcast(to) => Ok(()),
        // What a provider may tell unasked: how an order stands, that it changed, that it is off.
        (Callback::OnStatus | Callback::OnUpdate | Callback::OnCancel, _) if asked => Ok(()),
        (_, None) => Err(("context.message_id", format!("no {} of ours has this message id", callback.request()))),
        (_, Some(_)) if !asked => Err(("context.bpp_id", "this provider was not asked in this transaction".to_owned())),
        (_, Some(to)) if to != sender.as_str() => {
            Err(("context.bpp_id", "this message was sent to another provider".to_owned()))
        }
        (_, Some(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_expected_callbacks_are_believed() {
        let bpp = SubscriberId::parse("bpp.example").unwrap();
        let other = SubscriberId::parse("other.example").unwrap();
        let known = |asked: &[&SubscriberId], sent_to: Option<&str>| Known {
            bpps: asked.iter().map(|bpp| (*bpp).clone()).collect(),
            sent_to: sent_to.map(str::to_owned),
        };
        let ours = Some("bpp.example");
        assert!(expected(Callback::OnSearch, &known(&[], Some("gateway")), &bpp).is_ok());
        assert!(expected(Callback::OnSearch, &known(&[&other], Some("gateway")), &bpp).is_ok());
        assert!(expected(Callback::OnSearch, &known(&[&bpp], ours), &bpp).is_ok());
        assert!(expected(Callback::OnSearch, &known(&[&bpp], None), &bpp).is_err());
        assert!(expected(Callback::OnSearch, &known(&[&bpp], ours), &other).is_err());
        assert!(expected(Callback::OnSelect, &known(&[&bpp], ours), &bpp).is_ok());
        assert!(expected(Callback::OnSelect, &known(&[], Some("gateway")), &bpp).is_err());
        assert!(expected(Callback::OnInit, &known(&[&bpp], None), &bpp).is_err());
        // Of two that were asked, each answers what it was asked.
        assert!(expected(Callback::OnInit, &known(&[&bpp, &other], ours), &bpp).is_ok());
        assert!(expected(Callback::OnInit, &known(&[&bpp, &other], ours), &other).is_err());
        // A provider may tell a new status unasked, but only one we trade with.
        assert!(expected(Callback::OnStatus, &known(&[&bpp], None), &bpp).is_ok());
        assert!(expected(Callback::OnStatus, &known(&[], None), &bpp).is_err());
        assert!(expected(Callback::OnCancel, &known(&[&bpp], None), &bpp).is_ok());
    }
}
