//! Orders that wait for a worker. How many there may be is decided before they come here.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::{Drawn, Failure, Order};

/// An order, and where its images go.
pub struct Waiting {
    pub order: Order,
    pub reply: Sender<Result<Drawn, Failure>>,
    since: Instant,
}

#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Workers that have nothing to do.
    idle: usize,
    closed: bool,
}

impl Queue {
    /// Adds an order at the end.
    pub fn push(&self, order: Order) -> Receiver<Result<Drawn, Failure>> {
        let (reply, drawn) = channel();
        self.lock().waiting.push_back(Waiting { order, reply, since: Instant::now() });
        self.changed.notify_one();
        drawn
    }

    /// No more orders come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// How many workers have nothing to do.
    pub fn idle(&self) -> usize {
        self.lock().idle
    }

    /// How many orders wait.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The next orders, of `most` images together or of one order. Waits until there is one, and then, up to
    /// `wait` from when it came or was found, until there are `hoped` orders. `None` once it is closed and empty.
    pub fn take(&self, most: usize, hoped: usize, wait: Duration) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        let called = Instant::now();
        loop {
            // Nobody waits for these any more.
            state.waiting.retain(|waiting| !waiting.reply.is_closed());
            let Some(first) = state.waiting.front() else {
                if state.closed {
                    return None;
                }
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let left = wait.saturating_sub(first.since.max(called).elapsed());
            let images: usize = state.waiting.iter().map(|waiting| waiting.order.count).sum();
            if state.waiting.len() >= hoped || images >= most || left.is_zero() || state.closed {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut taken: Vec<Waiting> = Vec::new();
        let mut images = 0;
        while let Some(next) = state.waiting.front() {
            images += next.order.count;
            if images > most && !taken.is_empty() {
                break;
            }
            taken.extend(state.waiting.pop_front());
        }
        if !state.waiting.is_empty() {
            self.changed.notify_one();
        }
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(count: usize) -> Order {
        Order { count, ..Order::default() }
    }

    fn counts(taken: Option<Vec<Waiting>>) -> Vec<usize> {
        taken.unwrap_or_default().iter().map(|waiting| waiting.order.count).collect()
    }

    #[test]
    fn a_batch_has_as_many_orders_as_fit() {
        let queue = Queue::default();
        let _replies = [3, 4, 2, 9, 1].map(|count| queue.push(order(count)));
        let take = |most| counts(queue.take(most, 1, Duration::ZERO));
        assert_eq!(take(8), [3, 4]);
        assert_eq!(take(8), [2]);
        // Larger than a batch: alone.
        assert_eq!(take(8), [9]);
        assert_eq!(take(8), [1]);
        queue.close();
        assert!(queue.take(8, 1, Duration::ZERO).is_none());
    }

    #[test]
    fn what_nobody_waits_for_is_not_drawn() {
        let queue = Queue::default();
        drop(queue.push(order(3)));
        let _reply = queue.push(order(4));
        assert_eq!(counts(queue.take(8, 1, Duration::ZERO)), [4]);
    }

    #[test]
    fn an_order_waits_for_others_but_not_for_ever() {
        let queue = Queue::default();
        let _reply = queue.push(order(1));
        let started = Instant::now();
        assert_eq!(counts(queue.take(8, 2, Duration::from_millis(30))), [1]);
        assert!(started.elapsed() >= Duration::from_millis(25));
        let _replies = [1, 1].map(|count| queue.push(order(count)));
        assert_eq!(counts(queue.take(8, 2, Duration::from_secs(60))), [1, 1]);
    }
}
