// SPDX-License-Identifier: Apache-2.0
/**
 * The GPIO card of libvfio-user's sample.
 *
 * @since 0.1.0
 */
package io.jvfio.model.gpio;
