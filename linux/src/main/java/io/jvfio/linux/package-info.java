// SPDX-License-Identifier: Apache-2.0
/**
 * The kernel as an interface: system calls, errno, and memory that a device shares.
 *
 * @since 0.1.0
 */
package io.jvfio.linux;
