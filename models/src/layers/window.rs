//! How a convolution's kernel moves.

use serde::{Deserialize, Serialize};

/// How a kernel moves over a picture: a convolution reads the picture through it, a transposed
/// convolution writes the picture through it. The *grid* is the other side, one point a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the square kernel.
    pub kernel: usize,
    /// Pixels between two positions.
    pub stride: usize,
    /// Zeros (rows above, rows below).
    pub rows: (usize, usize),
    /// Zeros (columns left, columns right).
    pub columns: (usize, usize),
}

impl Window {
    /// TensorFlow's SAME padding for a picture of this size: the grid is the ceiling of the size
    /// over the stride, and an odd zero goes *after*. A 5×5 kernel of stride 2 over an even size
    /// pads 1 before and 2 after; padding 2 and 2 has the same shape and a shifted picture.
    ///
    /// ```
    /// let window = models::Window::same(5, 2, 28, 14);
    /// assert_eq!((window.rows, window.columns), ((1, 2), (1, 2)));
    /// assert_eq!(models::Window::same(5, 2, 7, 7).rows, (2, 2));
    /// ```
    pub fn same(kernel: usize, stride: usize, height: usize, width: usize) -> Window {
        let sides = |size: usize| {
            let grid = size.div_ceil(stride);
            let zeros = (grid.saturating_sub(1) * stride + kernel).saturating_sub(size);
            (zeros / 2, zeros - zeros / 2)
        };
        Window { kernel, stride, rows: sides(height), columns: sides(width) }
    }

    /// Grid points that fit a picture of `height` × `width`; `None` if the kernel doesn't fit.
    pub fn grid(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let points = |size: usize, (before, after): (usize, usize)| {
            Some((size + before + after).checked_sub(self.kernel)? / self.stride + 1)
        };
        Some((points(height, self.rows)?, points(width, self.columns)?))
    }

    /// The picture that a grid of `height` × `width` points covers; `None` if the padding eats it.
    pub fn picture(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let size = |points: usize, (before, after): (usize, usize)| {
            ((points.checked_sub(1)?) * self.stride + self.kernel)
                .checked_sub(before + after)
                .filter(|&size| size > 0)
        };
        Some((size(height, self.rows)?, size(width, self.columns)?))
    }
}
