//! The price of a service, line by line.
//!
//! Invariant: the lines of a [`Quote`] add up to its total. A quote can only be built from a
//! [`Fee`], and one read back from storage is refused unless it adds up.
//!
//! Tax is on the consultation alone, never on the registration charge. Each tax line is rounded
//! half-up to two decimals, then the lines are added; a line of nothing is left out.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::catalogue::{Currency, Fee, Percent};

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteLineKind {
    /// The consultation itself.
    Consultation,
    /// Central goods and services tax.
    Cgst {
        /// The rate.
        percent: Percent,
    },
    /// State goods and services tax.
    Sgst {
        /// The rate.
        percent: Percent,
    },
    /// The registration charge.
    Registration,
}

/// One line: an entry of Beckn's `quote.breakup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteLine {
    kind: QuoteLineKind,
    title: String,
    amount: Decimal,
}

impl QuoteLine {
    /// What it is for.
    pub fn kind(&self) -> QuoteLineKind {
        self.kind
    }

    /// The words shown to people, such as `CGST @ 5%`.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The amount, in the quote's currency.
    pub fn amount(&self) -> Decimal {
        self.amount
    }
}

/// A price that adds up: Beckn's `quote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawQuote")]
pub struct Quote {
    currency: Currency,
    lines: Vec<QuoteLine>,
    total: Decimal,
}

#[derive(Deserialize)]
struct RawQuote {
    currency: Currency,
    lines: Vec<QuoteLine>,
    total: Decimal,
}

/// The lines of a stored quote do not add up to its total.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the lines of the quote to add up to its total of {0}")]
pub struct QuoteError(Decimal);

impl TryFrom<RawQuote> for Quote {
    type Error = QuoteError;
    fn try_from(raw: RawQuote) -> Result<Self, Self::Error> {
        let sum = raw.lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line.amount));
        if sum != Some(raw.total) {
            return Err(QuoteError(raw.total));
        }
        Ok(Self { currency: raw.currency, lines: raw.lines, total: raw.total })
    }
}

impl Quote {
    /// The price of a fee. Cannot fail: amounts and rates are bounded by their types.
    pub fn from_fee(fee: &Fee) -> Self {
        let consultation = fee.consultation.value();
        let tax = |percent: Percent| {
            (consultation * percent.value() / Decimal::ONE_HUNDRED)
                .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
                .normalize()
        };
        let (cgst, sgst) = (fee.cgst_percent, fee.sgst_percent);
        let lines: Vec<QuoteLine> = [
            (QuoteLineKind::Consultation, "Consultation".to_owned(), consultation),
            (QuoteLineKind::Cgst { percent: cgst }, format!("CGST @ {cgst}%"), tax(cgst)),
            (QuoteLineKind::Sgst { percent: sgst }, format!("SGST @ {sgst}%"), tax(sgst)),
            (QuoteLineKind::Registration, "Registration".to_owned(), fee.registration.value()),
        ]
        .into_iter()
        .filter(|(_, _, amount)| !amount.is_zero())
        .map(|(kind, title, amount)| QuoteLine { kind, title, amount })
        .collect();
        let total = lines.iter().map(|line| line.amount).sum::<Decimal>().normalize();
        Self { currency: fee.currency, lines, total }
    }

    /// The currency of every line.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The lines, none of them zero: consultation, taxes, registration.
    pub fn lines(&self) -> &[QuoteLine] {
        &self.lines
    }

    /// The sum of the lines.
    pub fn total(&self) -> Decimal {
        self.total
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::Amount;

    fn fee(consultation: &str, registration: &str, cgst: &str, sgst: &str) -> Fee {
        Fee {
            currency: Currency::parse("INR").unwrap(),
            consultation: Amount::parse(consultation).unwrap(),
            registration: Amount::parse(registration).unwrap(),
            cgst_percent: Percent::parse(cgst).unwrap(),
            sgst_percent: Percent::parse(sgst).unwrap(),
        }
    }

    fn lines(quote: &Quote) -> Vec<(String, String)> {
        quote.lines().iter().map(|l| (l.title().to_owned(), l.amount().to_string())).collect()
    }

    #[test]
    fn tax_is_on_the_consultation_alone() {
        let quote = Quote::from_fee(&fee("1000", "400", "5", "5"));
        let expected = [("Consultation", "1000"), ("CGST @ 5%", "50"), ("SGST @ 5%", "50"), ("Registration", "400")];
        assert_eq!(lines(&quote), expected.map(|(t, a)| (t.to_owned(), a.to_owned())));
        assert_eq!(quote.total().to_string(), "1500");
    }

    #[test]
    fn halves_round_up_and_nothing_is_left_out() {
        let quote = Quote::from_fee(&fee("10.10", "0", "2.5", "0"));
        // 2.5 % of 10.10 is 0.2525; of 10.20 it would be 0.255.
        assert_eq!(lines(&quote)[1].1, "0.25");
        assert_eq!(quote.lines().len(), 2);
        let quote = Quote::from_fee(&fee("10.20", "0", "2.5", "0"));
        assert_eq!(lines(&quote)[1].1, "0.26");
        assert!(Quote::from_fee(&fee("0", "0", "5", "5")).lines().is_empty());
    }

    #[test]
    fn a_stored_quote_that_does_not_add_up_is_refused() {
        let quote = Quote::from_fee(&fee("1000", "400", "5", "5"));
        let mut json = serde_json::to_value(&quote).unwrap();
        assert_eq!(serde_json::from_value::<Quote>(json.clone()).unwrap(), quote);
        json["total"] = "1".into();
        assert!(serde_json::from_value::<Quote>(json).unwrap_err().to_string().contains("add up"));
    }

    proptest! {
        #[test]
        fn lines_always_add_up(
            consultation in 0i64..=100_000_000_000, registration in 0i64..=100_000_000_000,
            cgst in 0i64..=100_000, sgst in 0i64..=100_000,
        ) {
            let fee = Fee {
                currency: Currency::parse("INR").unwrap(),
                consultation: Amount::new(Decimal::new(consultation, 2)).unwrap(),
                registration: Amount::new(Decimal::new(registration, 2)).unwrap(),
                cgst_percent: Percent::new(Decimal::new(cgst, 3)).unwrap(),
                sgst_percent: Percent::new(Decimal::new(sgst, 3)).unwrap(),
            };
            let quote = Quote::from_fee(&fee);
            let sum: Decimal = quote.lines().iter().map(QuoteLine::amount).sum();
            prop_assert_eq!(sum, quote.total());
            prop_assert!(quote.lines().iter().all(|line| line.amount().scale() <= 2 && !line.amount().is_zero()));
            // Each tax is within half a cent of the exact rate.
            let exact = Decimal::new(consultation, 2) * Decimal::new(cgst + sgst, 5);
            let charged = quote.total() - Decimal::new(consultation, 2) - Decimal::new(registration, 2);
            prop_assert!((exact - charged).abs() <= Decimal::new(1, 2));
            let json = serde_json::to_string(&quote).unwrap();
            prop_assert_eq!(serde_json::from_str::<Quote>(&json).unwrap(), quote);
        }
    }
}
