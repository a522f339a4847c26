//! How texts are compared: without case, accents and punctuation, by the beginnings of words.
//!
//! Invariant: a text and its needles go through the same folding, so a text always matches
//! itself.

/// Titles that people write before a name but catalogues may not.
const TITLES: &[&str] =
    &["dr", "doctor", "prof", "professor", "mr", "mrs", "ms", "miss", "shri", "smt", "vaidya", "hakim"];

/// Words for the same field of practice. A query that is one of a group finds all of it.
const SYNONYMS: &[&[&str]] = &[
    &["cardiology", "heart", "cardiac"],
    &["dermatology", "skin"],
    &["dentistry", "dental", "dentist", "teeth"],
    &["ophthalmology", "eye", "eyes"],
    &["ent", "otolaryngology", "otorhinolaryngology", "ear nose throat", "ear nose and throat"],
    &[
        "general medicine",
        "general physician",
        "general practice",
        "general practitioner",
        "gp",
        "family medicine",
        "internal medicine",
        "physician",
    ],
    &["gynecology", "obstetrics", "obgyn"],
    &["pediatrics", "child health", "child specialist"],
    &["orthopedics", "bone", "bones", "orthopedist"],
    &["neurology", "nerves"],
    &["psychiatry", "mental health"],
    &["nephrology", "kidney", "renal"],
    &["pulmonology", "chest", "lung", "lungs", "respiratory medicine"],
    &["oncology", "cancer"],
    &["gastroenterology", "stomach"],
    &["endocrinology", "diabetology", "diabetes", "thyroid"],
    &["physiotherapy", "physical therapy"],
    &["nutrition", "dietetics", "dietician", "dietitian"],
    &["psychology", "counselling", "counseling"],
];

/// Endings of fields and of those who practise them, with the part both have in common.
const STEMS: &[(&str, &str)] = &[
    ("ologist", "olog"),
    ("ology", "olog"),
    ("iatrist", "iatr"),
    ("trician", "tric"),
    ("surgeon", "surg"),
    ("therapist", "therap"),
    ("nutritionist", "nutrition"),
];

/// The words of a text, each after one blank: `"Dr. José-Luis O'Brien"` is ` dr jose luis obrien`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 1);
    let mut inside = false;
    for c in text.chars() {
        match c {
            // Apostrophes and combining accents belong to their word.
            '\'' | '\u{2019}' | '\u{2bc}' | '\u{300}'..='\u{36f}' => continue,
            _ if separates(c) => inside = false,
            _ => {
                if !inside {
                    folded.push(' ');
                    inside = true;
                }
                match plain(c) {
                    Some(letters) => folded.push_str(letters),
                    None => folded.extend(c.to_lowercase()),
                }
            }
        }
    }
    folded
}

/// Vowel signs and viramas of Indian scripts are not alphanumeric to Unicode but are no gap in a
/// word either, so separators are named rather than guessed.
fn separates(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c.is_ascii_punctuation()
        || matches!(c, '\u{a1}'..='\u{bf}' | '\u{964}' | '\u{965}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{3003}')
}

/// Latin letters with accents, without them.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ď'..='đ' | 'Ð' | 'ð' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ'..='ĸ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ŋ' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'ß' => "ss",
        'Ś'..='š' => "s",
        'Ţ'..='ŧ' => "t",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ' | 'ŷ' | 'Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return None,
    })
}

/// Each word of a text with the blank before it, ready to be looked for in a folded text.
pub fn needles(text: &str) -> Vec<String> {
    words(&fold(text)).map(|word| format!(" {word}")).collect()
}

/// As [`needles`], without titles, unless there is nothing else.
pub fn name_needles(text: &str) -> Vec<String> {
    let all = needles(text);
    let named: Vec<String> = all.iter().filter(|needle| !TITLES.contains(&needle.trim_start())).cloned().collect();
    if named.is_empty() { all } else { named }
}

/// The words of a folded text.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(' ').filter(|word| !word.is_empty())
}

/// Whether every needle begins a word of the folded text.
pub fn begins_words(folded: &str, needles: &[String]) -> bool {
    needles.iter().all(|needle| folded.contains(needle.as_str()))
}

/// As [`fold`], with British and American spellings made one: `paediatrics`, `homoeopathy`.
pub fn fold_speciality(text: &str) -> String {
    fold(text).replace("ae", "e").replace("oe", "e")
}

/// The ways to look for a speciality: the words themselves, their common stem, their synonyms.
/// A folded speciality is found if all needles of one of them begin its words.
pub fn speciality_needles(text: &str) -> Vec<Vec<String>> {
    let folded = fold_speciality(text);
    let query: Vec<&str> = words(&folded).collect();
    if query.is_empty() {
        return Vec::new();
    }
    let stemmed: Vec<String> = query.iter().map(|word| format!(" {}", stem(word))).collect();
    let phrase = query.join(" ");
    let stem_phrase = stemmed.concat();
    let mut ways = vec![stemmed];
    for group in SYNONYMS {
        let is_meant = |member: &&str| {
            let stems: String = member.split(' ').map(|word| format!(" {}", stem(word))).collect();
            phrase == **member || stem_phrase == stems
        };
        if group.iter().any(is_meant) {
            ways.extend(group.iter().map(|member| member.split(' ').map(|word| format!(" {}", stem(word))).collect()));
        }
    }
    ways
}

fn stem(word: &str) -> String {
    // A stem keeps at least five letters, so that none becomes the beginning of everything.
    let mut stems = STEMS.iter().filter_map(|(ending, common)| {
        let start = word.strip_suffix(ending)?;
        (start.len() + common.len() >= 5).then(|| format!("{start}{common}"))
    });
    stems.next().unwrap_or_else(|| word.to_owned())
}

/// One key for all forms of the name of a system of medicine: `Ayurveda` and `ayurvedic`.
pub fn system_key(text: &str) -> String {
    let folded = fold_speciality(text);
    let joined = words(&folded).collect::<Vec<_>>().join(" ");
    if matches!(joined.as_str(), "modern medicine" | "modern" | "western medicine") {
        return "allopath".to_owned();
    }
    let mut endings = ["ic", "y", "a"].into_iter().filter_map(|ending| joined.strip_suffix(ending));
    endings.next().unwrap_or(&joined).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn finds(query: &str, name: &str) -> bool {
        begins_words(&fold(name), &name_needles(query))
    }

    fn finds_speciality(query: &str, name: &str) -> bool {
        let folded = fold_speciality(name);
        speciality_needles(query).iter().any(|needles| begins_words(&folded, needles))
    }

    #[test]
    fn names_are_found_by_the_beginnings_of_words() {
        for (query, name) in [
            ("Dr. Sana Bhatt", "Sana Bhatt"),
            ("bhatt sa", "Dr Sana Bhatt"),
            ("JOSE", "José Martín"),
            ("O'Brien", "Dr. obrien"),
            ("obr", "Dr O\u{2019}Brien"),
            ("Dr", "Dr Asthana"),
            ("मीर", "मीरा शर्मा"),
            ("e\u{301}tienne", "Étienne"),
        ] {
            assert!(finds(query, name), "{query} in {name}");
        }
        assert!(!finds("hatt", "Sana Bhatt"));
        assert!(!finds("Sana Bhatt", "Sana Bose"));
    }

    #[test]
    fn specialities_are_found_by_occupation_spelling_and_common_word() {
        for (query, name) in [
            ("cardio", "Cardiology"),
            ("Cardiologist", "cardiology"),
            ("heart", "Cardiology"),
            ("orthopedic", "Orthopaedics"),
            ("Orthopaedist", "Orthopaedics"),
            ("paediatrician", "Pediatrics"),
            ("gynecologist", "Gynaecology & Obstetrics"),
            ("general physician", "General Medicine"),
            ("GP", "general-physician"),
            ("ear, nose, throat", "ENT"),
            ("psychiatrist", "Psychiatry"),
            ("urologist", "Urology"),
        ] {
            assert!(finds_speciality(query, name), "{query} in {name}");
        }
        assert!(!finds_speciality("urology", "Neurology"));
        assert!(!finds_speciality("cardiology", "Dermatology"));
    }

    #[test]
    fn forms_of_a_system_of_medicine_are_one() {
        assert_eq!(system_key("Ayurveda"), system_key("ayurvedic"));
        assert_eq!(system_key("Homoeopathy"), system_key("homeopathic"));
        assert_eq!(system_key("Modern Medicine"), system_key("Allopathy"));
        assert_ne!(system_key("Unani"), system_key("Siddha"));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_in_any_case(text in "\\PC{0,40}") {
            prop_assert!(begins_words(&fold(&text), &needles(&text)));
            prop_assert!(begins_words(&fold(&text), &name_needles(&text)));
            let folded = fold_speciality(&text);
            let ways = speciality_needles(&text);
            prop_assert!(ways.is_empty() || ways.iter().any(|needles| begins_words(&folded, needles)));
        }
    }
}
