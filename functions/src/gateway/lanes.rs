//! How many peers are waited for at the same time.
//!
//! Invariant: who is slow gives its place up. A request has a place in the quick lane until it is answered, for
//! a second at most; then it goes on in the slow lane, and the next one starts.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Requests that have just begun. With the slow ones they stay well below the 1 024 files that a function may open.
const QUICK: usize = 64;
/// Requests that take longer than [`PATIENCE`].
const SLOW: usize = 256;
/// How long a request counts as one that has just begun.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lanes of one process.
pub(super) struct Lanes {
    quick: Semaphore,
    slow: Semaphore,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { quick: Semaphore::new(QUICK), slow: Semaphore::new(SLOW) }
    }
}

impl Lanes {
    /// Does the work once there is a place, to its end.
    pub(super) async fn through<T>(&self, work: impl Future<Output = T>) -> T {
        let place = self.quick.acquire().await;
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
            return done;
        }
        tokio::select! {
            done = &mut work => done,
            // It keeps this place to its end.
            _slow = self.slow.acquire() => {
                drop(place);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn the_slow_give_their_places_up() {
        let lanes = std::sync::Arc::new(Lanes { quick: Semaphore::new(1), slow: Semaphore::new(1) });
        let (answer, answered) = oneshot::channel::<()>();
        let slow = tokio::spawn({
            let lanes = lanes.clone();
            async move { lanes.through(answered).await }
        });
        // It is done although the first one, which had the only place, is not.
        while lanes.quick.available_permits() == 1 {
            tokio::task::yield_now().await;
        }
        lanes.through(async {}).await;
        assert!(!slow.is_finished() && lanes.slow.available_permits() == 0);
        drop(answer);
        assert!(slow.await.is_ok_and(|answer| answer.is_err()));
        assert_eq!((lanes.quick.available_permits(), lanes.slow.available_permits()), (1, 1));
    }
}
