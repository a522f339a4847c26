//! The coded words of a catalogue: consultation type, language, gender, rating.
//!
//! Invariant: two spellings of the same thing are one value. `eng`, `en` and `English` are one
//! language; `DIGITAL-CONSULT`, `Teleconsultation` and `Online` are one consultation type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A word that is not one of those expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct TermError {
    expected: &'static str,
    found: String,
}

impl TermError {
    pub(crate) fn new(expected: &'static str, found: &str) -> Self {
        Self { expected, found: found.chars().take(64).collect() }
    }
}

/// Letters and digits in lower case: `DIGITAL-CONSULT` and `digital consult` become one word.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where the consultation takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ConsultationType {
    /// At the facility.
    Physical,
    /// By video, audio or chat.
    Digital,
}

impl ConsultationType {
    /// The word used in catalogue files: `physical` or `digital`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Digital => "digital",
        }
    }

    /// Beckn's `fulfillment.type` as health networks write it.
    pub fn fulfillment_type(&self) -> &'static str {
        match self {
            Self::Physical => "PHYSICAL-CONSULT",
            Self::Digital => "DIGITAL-CONSULT",
        }
    }
}

/// Accepts the catalogue's words and every `fulfillment.type` in use on DHP and UHI networks.
impl FromStr for ConsultationType {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match squeeze(text).as_str() {
            "physical" | "physicalconsult" | "physicalconsultation" | "opd" | "inperson" | "facetoface" => {
                Ok(Self::Physical)
            }
            "digital"
            | "digitalconsult"
            | "digitalconsultation"
            | "teleconsultation"
            | "teleconsult"
            | "tele"
            | "online"
            | "virtual" => Ok(Self::Digital),
            _ => Err(TermError::new("a consultation type, physical or digital", text)),
        }
    }
}

impl TryFrom<String> for ConsultationType {
    type Error = TermError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ConsultationType> for &'static str {
    fn from(kind: ConsultationType) -> Self {
        kind.as_str()
    }
}

/// Administrative gender, with FHIR's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Gender {
    /// `female`
    Female,
    /// `male`
    Male,
    /// `other`
    Other,
    /// `unknown`
    Unknown,
}

impl Gender {
    /// FHIR's code.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

impl FromStr for Gender {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match squeeze(text).as_str() {
            "female" | "f" | "woman" => Ok(Self::Female),
            "male" | "m" | "man" => Ok(Self::Male),
            "other" | "o" | "transgender" | "nonbinary" => Ok(Self::Other),
            "unknown" | "u" => Ok(Self::Unknown),
            _ => Err(TermError::new("a gender: female, male, other or unknown", text)),
        }
    }
}

impl TryFrom<String> for Gender {
    type Error = TermError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Gender> for &'static str {
    fn from(gender: Gender) -> Self {
        gender.as_str()
    }
}

/// A language by its ISO 639 code. Two-letter codes and English names of the languages in the
/// table below become the three-letter code, so that `hi`, `hin` and `Hindi` are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language([u8; 3]);

/// ISO 639-1 code, 639-3 code, English name. Languages outside it keep the code they came with.
const LANGUAGES: &[(&str, &str, &str)] = &[
    ("ar", "ara", "arabic"),
    ("as", "asm", "assamese"),
    ("bn", "ben", "bengali"),
    ("de", "deu", "german"),
    ("en", "eng", "english"),
    ("es", "spa", "spanish"),
    ("fa", "fas", "persian"),
    ("fr", "fra", "french"),
    ("gu", "guj", "gujarati"),
    ("hi", "hin", "hindi"),
    ("id", "ind", "indonesian"),
    ("it", "ita", "italian"),
    ("ja", "jpn", "japanese"),
    ("kn", "kan", "kannada"),
    ("ko", "kor", "korean"),
    ("ks", "kas", "kashmiri"),
    ("ml", "mal", "malayalam"),
    ("mr", "mar", "marathi"),
    ("ms", "msa", "malay"),
    ("ne", "nep", "nepali"),
    ("nl", "nld", "dutch"),
    ("or", "ori", "odia"),
    ("pa", "pan", "punjabi"),
    ("pt", "por", "portuguese"),
    ("ru", "rus", "russian"),
    ("sa", "san", "sanskrit"),
    ("sd", "snd", "sindhi"),
    ("si", "sin", "sinhala"),
    ("sw", "swa", "swahili"),
    ("ta", "tam", "tamil"),
    ("te", "tel", "telugu"),
    ("th", "tha", "thai"),
    ("tl", "tgl", "tagalog"),
    ("tr", "tur", "turkish"),
    ("ur", "urd", "urdu"),
    ("vi", "vie", "vietnamese"),
    ("zh", "zho", "chinese"),
];

impl Language {
    /// Parses an ISO 639 code or the English name of a language in the table.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        let word = text.trim().to_lowercase();
        // A region is not a language: `en-IN` asks for English.
        let word = word.split(['-', '_']).next().unwrap_or_default();
        let code = LANGUAGES
            .iter()
            .find(|(two, three, name)| *two == word || *three == word || *name == word)
            .map_or(word, |(_, three, _)| three);
        match *code.as_bytes() {
            [a, b, c] if code.bytes().all(|b| b.is_ascii_lowercase()) => Ok(Self([a, b, c])),
            [a, b] if code.bytes().all(|b| b.is_ascii_lowercase()) => Ok(Self([a, b, b' '])),
            _ => Err(TermError::new("a language as an ISO 639 code such as hin or en", text)),
        }
    }

    /// The code in lower case, three letters where the table knows them.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end()
    }

    /// The English name, where the table knows it.
    pub fn name(&self) -> Option<&'static str> {
        LANGUAGES.iter().find(|(_, three, _)| *three == self.as_str()).map(|(_, _, name)| *name)
    }
}

impl TryFrom<String> for Language {
    type Error = TermError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.as_str().to_owned()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An average rating from 0 to 5 stars, kept to two decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stars(u16);

impl Stars {
    /// Rounds to two decimals; refuses anything outside 0 to 5.
    pub fn new(stars: f64) -> Result<Self, TermError> {
        if !(0.0..=5.0).contains(&stars) {
            return Err(TermError::new("a rating from 0 to 5 stars", &stars.to_string()));
        }
        // At most 500, so the conversion is exact.
        Ok(Self((stars * 100.0).round() as u16))
    }

    /// Parses Beckn's `rating` text, such as `4.5`.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        let number = text.trim().parse::<f64>();
        Self::new(number.map_err(|_| TermError::new("a rating from 0 to 5 stars", text))?)
    }

    /// The number of stars.
    pub fn value(&self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Stars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value(), f)
    }
}

impl fmt::Debug for Stars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Stars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Stars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Stars;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rating from 0 to 5 stars")
            }
            fn visit_f64<E: de::Error>(self, stars: f64) -> Result<Stars, E> {
                Stars::new(stars).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, stars: u64) -> Result<Stars, E> {
                self.visit_f64(stars as f64)
            }
            fn visit_i64<E: de::Error>(self, stars: i64) -> Result<Stars, E> {
                self.visit_f64(stars as f64)
            }
            fn visit_str<E: de::Error>(self, stars: &str) -> Result<Stars, E> {
                Stars::parse(stars).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_published_fulfillment_type_is_understood() {
        for text in ["PHYSICAL-CONSULT", "PhysicalConsultation", "OPD", "Physical"] {
            assert_eq!(text.parse::<ConsultationType>().unwrap(), ConsultationType::Physical);
        }
        for text in ["DIGITAL-CONSULT", "Teleconsultation", "Online", "TELE"] {
            assert_eq!(text.parse::<ConsultationType>().unwrap(), ConsultationType::Digital);
        }
        assert!("BloodStock".parse::<ConsultationType>().is_err());
    }

    #[test]
    fn spellings_of_a_language_are_equal() {
        let hindi = Language::parse("hin").unwrap();
        for text in ["hi", "HIN", "Hindi", "hi-IN"] {
            assert_eq!(Language::parse(text).unwrap(), hindi, "{text}");
        }
        assert_eq!(Language::parse("kok").unwrap().as_str(), "kok");
        assert_eq!(Language::parse("yo").unwrap().as_str(), "yo");
        assert!(Language::parse("Klingon").is_err());
        assert!(Language::parse("").is_err());
    }

    #[test]
    fn stars_round_trip_through_json() {
        for hundredths in 0..=500u16 {
            let stars = Stars::new(f64::from(hundredths) / 100.0).unwrap();
            let json = serde_json::to_string(&stars).unwrap();
            assert_eq!(serde_json::from_str::<Stars>(&json).unwrap(), stars);
        }
        assert!(Stars::new(5.01).is_err() && Stars::new(f64::NAN).is_err());
    }
}
