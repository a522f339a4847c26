//! How documents are packed: deflate, and for small documents of a known kind deflate after a sample of that kind.
//!
//! DynamoDB bills writes by the started kilobyte, twice that in a transaction. An order or a callback says in some hundred
//! bytes what is its own and in two thousand what every other one says too, so it is compressed as if the
//! sample had come just before it, and refers to it.
//!
//! Invariant: a packed document begins with the number of its sample, and a sample is never edited: what was packed after
//! it could no longer be read. A better sample gets a number of its own.

use std::io::{Read as _, Write as _};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compress, Compression, FlushCompress, Status};

/// What a packed document is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sample {
    /// An order with its details.
    Order = 1,
    /// A callback about an order.
    Callback = 2,
}

impl Sample {
    const ALL: [Self; 2] = [Self::Order, Self::Callback];

    /// Fewer than 64 KiB, and without a line break at the end.
    fn text(self) -> &'static [u8] {
        match self {
            Self::Order => include_bytes!("packing/order.txt"),
            Self::Callback => include_bytes!("packing/callback.txt"),
        }
    }
}

/// Compresses with deflate, fast: for much at a time.
pub(crate) fn pack(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Undoes [`pack`]; `None` when the bytes are not deflate.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(packed.len() * 4);
    DeflateDecoder::new(packed).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// Compresses a document that resembles a sample.
pub(crate) fn pack_like(sample: Sample, plain: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::default(), false);
    // What the sample itself becomes is left out: the other side makes it anew. The flush ends it on a whole byte.
    let mut left_out = Vec::new();
    run(&mut deflate, sample.text(), &mut left_out, FlushCompress::Sync);
    let mut packed = vec![sample as u8];
    run(&mut deflate, plain, &mut packed, FlushCompress::Finish);
    packed
}

/// Undoes [`pack_like`]; `None` when the bytes were not packed so.
pub(crate) fn unpack_like(packed: &[u8]) -> Option<Vec<u8>> {
    let (number, packed) = packed.split_first()?;
    let text = Sample::ALL.into_iter().find(|sample| *sample as u8 == *number)?.text();
    // The sample as deflate has it uncompressed: a block that is not the last, its length and the length's complement.
    let length = u16::try_from(text.len()).ok()?;
    let mut block = vec![0];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    let mut plain = Vec::with_capacity(text.len() + packed.len() * 6);
    DeflateDecoder::new(block.chain(text).chain(packed)).read_to_end(&mut plain).ok()?;
    Some(plain.split_off(text.len().min(plain.len())))
}

/// Compresses all of `input` behind what is in `output` and flushes as told.
fn run(deflate: &mut Compress, mut input: &[u8], output: &mut Vec<u8>, flush: FlushCompress) {
    loop {
        output.reserve(input.len() / 2 + 256);
        let before = deflate.total_in();
        // Only a wrong order of calls is an error, and this is the right one.
        let Ok(status) = deflate.compress_vec(input, output, flush) else { return };
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
        input = input.get(taken..).unwrap_or_default();
        // Flushed is what leaves room behind it.
        let flushed = input.is_empty() && output.len() < output.capacity();
        if status == Status::StreamEnd || (flush == FlushCompress::Sync && flushed) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(length)
        .collect()
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut plains = vec![Vec::new(), b"{}".to_vec(), "ನಮಸ್ಕಾರ".as_bytes().to_vec(), vec![b'x'; 1_000_000]];
        plains.extend([1, 255, 256, 257, 5_000, 70_000, 300_000].map(noise));
        plains.extend(Sample::ALL.map(|sample| sample.text().to_vec()));
        for plain in plains {
            assert_eq!(unpack(&pack(&plain)).unwrap(), plain);
            for sample in Sample::ALL {
                let packed = pack_like(sample, &plain);
                assert_eq!(unpack_like(&packed).unwrap(), plain, "{sample:?}, {} bytes", plain.len());
                assert!(packed.len() <= plain.len() + plain.len() / 100 + 64, "{} of {}", packed.len(), plain.len());
            }
        }
    }

    #[test]
    fn a_sample_stays_as_it_is() {
        // Rows in tables were packed after these: a change here is the loss of what they say.
        let kept = Sample::ALL.map(|sample| {
            let text = sample.text();
            assert!(u16::try_from(text.len()).is_ok() && !text.ends_with(b"\n"));
            (
                sample as u8,
                text.len(),
                text.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))),
            )
        });
        assert_eq!(kept, [(1, 1881, 6616843089564476127), (2, 3040, 14515421387526473987)]);
    }

    #[test]
    fn what_every_document_says_costs_next_to_nothing() {
        for sample in Sample::ALL {
            let text = std::str::from_utf8(sample.text()).unwrap();
            let document = text.replace("2026-00T00:00:00Z", "2027-03-09T11:45:00Z");
            let (alone, like) = (pack(document.as_bytes()).len(), pack_like(sample, document.as_bytes()).len());
            assert!(like * 5 < alone, "{sample:?}: {like} bytes instead of {alone}");
        }
    }

    #[test]
    fn what_was_not_packed_so_is_not_unpacked() {
        for bytes in [&b""[..], &[0], &[1], &[9, 3, 0], &[1, 0xff, 0xff, 0xff]] {
            assert_eq!(unpack_like(bytes), None, "{bytes:?}");
        }
        let packed = pack_like(Sample::Order, b"{\"order\":{}}");
        assert_eq!(unpack_like(&packed[..packed.len() - 1]), None);
    }
}
