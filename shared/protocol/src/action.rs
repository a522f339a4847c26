//! The ten actions of the Beckn 1.1.0 transaction API and their callbacks.
//!
//! Invariant: every action has exactly one callback and the wire names differ only by the `on_` prefix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that names no action (or no callback) of the transaction API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found an unknown name")]
pub struct UnknownAction {
    expected: &'static str,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident, $expected:literal, { $($(#[$vdoc:meta])* $variant:ident = $wire:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant),*
        }

        impl $name {
            /// All of them, in the order of the journey.
            pub const ALL: [Self; 10] = [$(Self::$variant),*];

            /// The name on the wire and in the path.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire),*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownAction;

            fn from_str(text: &str) -> Result<Self, UnknownAction> {
                match text {
                    $($wire => Ok(Self::$variant),)*
                    _ => Err(UnknownAction { expected: $expected }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

names! {
    /// A request: what a consumer platform (BAP) asks of a provider platform (BPP).
    Action, "one of the ten request actions", {
        /// Ask the network what is on offer.
        Search = "search",
        /// Choose items and ask for a quote.
        Select = "select",
        /// Give billing and fulfilment details and ask for the final terms.
        Init = "init",
        /// Place the order.
        Confirm = "confirm",
        /// Ask for the order as it stands.
        Status = "status",
        /// Ask where the fulfilment is.
        Track = "track",
        /// Cancel the order.
        Cancel = "cancel",
        /// Change a part of the order.
        Update = "update",
        /// Rate an order, an item, a fulfilment, a provider, an agent or the support.
        Rating = "rating",
        /// Ask for a contact.
        Support = "support",
    }
}

names! {
    /// A callback: what a provider platform (BPP) answers to a consumer platform (BAP).
    Callback, "one of the ten on_ callbacks", {
        /// The catalogue.
        OnSearch = "on_search",
        /// The quoted draft.
        OnSelect = "on_select",
        /// The draft with payment and fulfilment terms.
        OnInit = "on_init",
        /// The placed order.
        OnConfirm = "on_confirm",
        /// The order as it stands; may also come unasked.
        OnStatus = "on_status",
        /// Where the fulfilment is.
        OnTrack = "on_track",
        /// The cancelled order; may also come unasked.
        OnCancel = "on_cancel",
        /// The changed order; may also come unasked.
        OnUpdate = "on_update",
        /// The rating was taken; perhaps with a feedback form.
        OnRating = "on_rating",
        /// The contact asked for.
        OnSupport = "on_support",
    }
}

impl Action {
    /// The callback that answers this request.
    #[must_use]
    pub const fn callback(self) -> Callback {
        match self {
            Self::Search => Callback::OnSearch,
            Self::Select => Callback::OnSelect,
            Self::Init => Callback::OnInit,
            Self::Confirm => Callback::OnConfirm,
            Self::Status => Callback::OnStatus,
            Self::Track => Callback::OnTrack,
            Self::Cancel => Callback::OnCancel,
            Self::Update => Callback::OnUpdate,
            Self::Rating => Callback::OnRating,
            Self::Support => Callback::OnSupport,
        }
    }
}

impl Callback {
    /// The request this callback answers.
    #[must_use]
    pub const fn request(self) -> Action {
        match self {
            Self::OnSearch => Action::Search,
            Self::OnSelect => Action::Select,
            Self::OnInit => Action::Init,
            Self::OnConfirm => Action::Confirm,
            Self::OnStatus => Action::Status,
            Self::OnTrack => Action::Track,
            Self::OnCancel => Action::Cancel,
            Self::OnUpdate => Action::Update,
            Self::OnRating => Action::Rating,
            Self::OnSupport => Action::Support,
        }
    }
}

/// What a message does: a request or a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A request of a consumer platform.
    Request(Action),
    /// An answer of a provider platform.
    Callback(Callback),
}

impl Verb {
    /// The name on the wire and in the path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request(action) => action.as_str(),
            Self::Callback(callback) => callback.as_str(),
        }
    }

    /// The request this verb is, or answers.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Request(action) => action,
            Self::Callback(callback) => callback.request(),
        }
    }
}

impl From<Action> for Verb {
    fn from(action: Action) -> Self {
        Self::Request(action)
    }
}

impl From<Callback> for Verb {
    fn from(callback: Callback) -> Self {
        Self::Callback(callback)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        if let Ok(callback) = text.parse::<Callback>() {
            return Ok(Self::Callback(callback));
        }
        text.parse::<Action>()
            .map(Self::Request)
            .map_err(|_| UnknownAction { expected: "one of the twenty actions and callbacks" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn each_action_has_its_own_callback() {
        for action in Action::ALL {
            assert_eq!(action.callback().request(), action);
            assert_eq!(action.callback().as_str(), format!("on_{action}"));
            assert_eq!(action.as_str().parse::<Action>().unwrap(), action);
            assert_eq!(action.as_str().parse::<Verb>().unwrap(), Verb::from(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        for callback in Callback::ALL {
            assert_eq!(callback.as_str().parse::<Verb>().unwrap(), Verb::from(callback));
            assert_eq!(Verb::from(callback).action(), callback.request());
        }
    }

    #[test]
    fn other_names_are_refused() {
        assert!("Search".parse::<Action>().is_err());
        assert!("on_search".parse::<Action>().is_err());
        assert!("search".parse::<Callback>().is_err());
        assert!("".parse::<Verb>().is_err());
        assert!(serde_json::from_str::<Action>("\"on_search\"").is_err());
    }
}
