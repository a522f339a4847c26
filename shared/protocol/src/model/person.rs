//! People and organisations. Everything here shows no values in `Debug`.

use serde_json::Value;

use super::{City, Descriptor, Image, State, TagGroup};
use crate::wire::wire_object;

wire_object! {
    /// A person (`Person`).
    #[derive(Default)]
    pub struct Person: private {
        /// Their id.
        pub id: Option<String>,
        /// Their page.
        pub url: Option<String>,
        /// Their name.
        pub name: Option<String>,
        /// Their picture.
        pub image: Option<Image>,
        /// Their age. The specification says a duration; published messages say years: free text.
        pub age: Option<String>,
        /// Their date of birth.
        pub dob: Option<String>,
        /// Their gender, in the sender's words.
        pub gender: Option<String>,
        /// What they can prove: registrations, degrees, health ids.
        pub creds: Vec<Credential>,
        /// The languages they speak.
        pub languages: Vec<Language>,
        /// What they can do.
        pub skills: Vec<Skill>,
        /// Anything else.
        pub tags: Vec<TagGroup>,
    }
}

wire_object! {
    /// Something a person can prove (`Credential`).
    #[derive(Default)]
    pub struct Credential: private {
        /// Its id, such as a health id or a registration number.
        pub id: Option<String>,
        /// Its kind.
        pub r#type: Option<String> as "type",
        /// Where it can be checked.
        pub url: Option<String>,
    }
}

wire_object! {
    /// A language (`Person.languages`).
    #[derive(Default)]
    pub struct Language: private {
        /// Its code.
        pub code: Option<String>,
        /// Its name.
        pub name: Option<String>,
    }
}

wire_object! {
    /// A skill (`Person.skills`).
    #[derive(Default)]
    pub struct Skill: private {
        /// Its code.
        pub code: Option<String>,
        /// Its name.
        pub name: Option<String>,
    }
}

wire_object! {
    /// How to reach someone (`Contact`).
    #[derive(Default)]
    pub struct Contact: private {
        /// Telephone number.
        pub phone: Option<String>,
        /// E-mail address.
        pub email: Option<String>,
        /// A jCard (RFC 7095), kept as it came.
        pub jcard: Option<Value>,
    }
}

wire_object! {
    /// Who receives a service (`Customer`): the patient, in health.
    #[derive(Default)]
    pub struct Customer: private {
        /// The person.
        pub person: Option<Person>,
        /// How to reach them.
        pub contact: Option<Contact>,
    }
}

wire_object! {
    /// Who gives a service (`Agent`): the practitioner, in health.
    #[derive(Default)]
    pub struct Agent: private {
        /// The person.
        pub person: Option<Person>,
        /// How to reach them.
        pub contact: Option<Contact>,
        /// Whom they work for.
        pub organization: Option<Organization>,
        /// Their rating.
        pub rating: Option<String>,
    }
}

wire_object! {
    /// An organisation (`Organization`).
    #[derive(Default)]
    pub struct Organization: private {
        /// Its name.
        pub descriptor: Option<Descriptor>,
        /// Its address, as one text.
        pub address: Option<String>,
        /// State or region.
        pub state: Option<State>,
        /// City.
        pub city: Option<City>,
        /// How to reach it.
        pub contact: Option<Contact>,
    }
}
