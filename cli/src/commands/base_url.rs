//! URLs that a path can be put behind.

/// An http(s) URL without credentials, query and fragment; without its trailing slash.
pub fn base_url(text: &str) -> Result<String, String> {
    let url =
        reqwest::Url::parse(text).map_err(|_| "expected a URL such as https://bap.example.org/beckn".to_owned())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("expected an http or https URL without user, query and fragment".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_base_url_is_one_that_a_path_can_follow() {
        assert_eq!(base_url("https://bap.example.org/beckn/").unwrap(), "https://bap.example.org/beckn");
        for wrong in ["bap.example.org", "ftp://bap.example.org", "https://me@bap.example.org", "https://b.org/?x"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }
}
