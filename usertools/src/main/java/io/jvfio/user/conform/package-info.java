// SPDX-License-Identifier: Apache-2.0
/**
 * A check of how a server keeps to the protocol.
 *
 * @since 0.1.0
 */
package io.jvfio.user.conform;
