// SPDX-License-Identifier: Apache-2.0
/**
 * What an operator asks of a host: what is wrong with it, why that matters, and what mends it.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
module io.jvfio.ops {
  requires static org.jspecify;
  requires transitive io.jvfio;

  exports io.jvfio.ops;
}
