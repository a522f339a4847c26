//! What `update` may change: Beckn's `update_target`.
//!
//! Invariant: a target is the billing details or the details of a customer. Slot, service and
//! price have their own ways to change and are refused by name.

use std::fmt;

/// A part of an order a consumer may replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateTarget {
    /// `order.billing`
    Billing,
    /// `order.fulfillments[..].customer`: the patient's details.
    Customer {
        /// What stood between the brackets: an index or a fulfillment id. An order has one
        /// fulfilment, so none is needed.
        fulfillment: Option<String>,
    },
}

/// A target that cannot be updated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("update_target {target:?} cannot be updated; expected order.billing or order.fulfillments[..].customer")]
pub struct UnknownTarget {
    target: String,
}

impl UnknownTarget {
    /// The target as it was sent, cut to 128 characters.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl UpdateTarget {
    /// Parses `update_target`: one or more targets, separated by commas. `order.` may be left
    /// out, and a field inside a target (`order.billing.email`) means the target.
    ///
    /// # Errors
    /// Names the first target that cannot be updated.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, UnknownTarget> {
        let mut targets = Vec::new();
        for part in text.split(',') {
            let target = Self::parse(part)?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(targets)
    }

    fn parse(text: &str) -> Result<Self, UnknownTarget> {
        let text = text.trim();
        let unknown = || UnknownTarget { target: text.chars().take(128).collect() };
        let path = text.strip_prefix("order.").unwrap_or(text);
        let is = |path: &str, name: &str| {
            path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if is(path, "billing") {
            return Ok(Self::Billing);
        }
        let rest =
            path.strip_prefix("fulfillments").or_else(|| path.strip_prefix("fulfillment")).ok_or_else(unknown)?;
        // A fulfillment id may hold dots, so the brackets are taken off before the dots are read.
        let (fulfillment, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (inside, rest) = rest.split_once(']').ok_or_else(unknown)?;
                let named = !inside.is_empty() && !matches!(inside, "*" | "..");
                (named.then(|| inside.to_owned()), rest)
            }
            None => (None, rest),
        };
        match rest.strip_prefix('.') {
            Some(rest) if is(rest, "customer") => Ok(Self::Customer { fulfillment }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for UpdateTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Billing => f.write_str("order.billing"),
            Self::Customer { fulfillment: None } => f.write_str("order.fulfillments.customer"),
            Self::Customer { fulfillment: Some(id) } => {
                write!(f, "order.fulfillments[{id}].customer")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn billing_and_customer_are_understood() {
        let customer = |id: Option<&str>| UpdateTarget::Customer { fulfillment: id.map(str::to_owned) };
        let cases = [
            ("order.billing", vec![UpdateTarget::Billing]),
            ("billing", vec![UpdateTarget::Billing]),
            ("order.billing.email,order.billing", vec![UpdateTarget::Billing]),
            ("order.fulfillments[0].customer", vec![customer(Some("0"))]),
            ("order.fulfillments[c.1@20261123T043000Z].customer.person", vec![customer(Some("c.1@20261123T043000Z"))]),
            ("fulfillments[*].customer", vec![customer(None)]),
            ("order.fulfillment.customer, billing", vec![customer(None), UpdateTarget::Billing]),
        ];
        for (text, expected) in cases {
            assert_eq!(UpdateTarget::parse_list(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for bad in [
            "",
            "order",
            "order.quote",
            "order.billings",
            "order.fulfillments[0].agent",
            "order.fulfillments[0.customer",
            "order.items",
            "order.fulfillments",
            "order.fulfillments.customers",
        ] {
            let error = UpdateTarget::parse_list(&format!("order.billing,{bad}")).unwrap_err();
            assert_eq!(error.target(), bad);
            assert!(error.to_string().contains("expected order.billing"));
        }
    }
}
