//! Names, descriptions, pictures and documents.

use crate::wire::wire_object;

wire_object! {
    /// What something is called and how it is described (`Descriptor`). A prescription or a diagnosis may
    /// stand in one, so it is treated as health data.
    #[derive(Default)]
    pub struct Descriptor: private {
        /// The name shown to people.
        pub name: Option<String>,
        /// The name software goes by.
        pub code: Option<String>,
        /// A line about it.
        pub short_desc: Option<String>,
        /// More about it.
        pub long_desc: Option<String>,
        /// A description kept elsewhere.
        pub additional_desc: Option<AdditionalDescription>,
        /// Documents.
        pub media: Vec<MediaFile>,
        /// Pictures.
        pub images: Vec<Image>,
    }
}

wire_object! {
    /// A description kept elsewhere.
    #[derive(Default)]
    pub struct AdditionalDescription: private {
        /// Where.
        pub url: Option<String>,
        /// Its content type.
        pub content_type: Option<String>,
    }
}

wire_object! {
    /// A document, perhaps signed (`MediaFile`).
    #[derive(Default)]
    pub struct MediaFile: private {
        /// Its content type.
        pub mimetype: Option<String>,
        /// Where it is.
        pub url: Option<String>,
        /// Its signature.
        pub signature: Option<String>,
        /// The algorithm of the signature.
        pub dsa: Option<String>,
    }
}

wire_object! {
    /// A picture (`Image`).
    #[derive(Default)]
    pub struct Image: private {
        /// Where it is.
        pub url: Option<String>,
        /// Its size class.
        pub size_type: Option<String>,
        /// Its width in pixels.
        pub width: Option<String>,
        /// Its height in pixels.
        pub height: Option<String>,
    }
}
