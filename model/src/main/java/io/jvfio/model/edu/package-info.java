// SPDX-License-Identifier: Apache-2.0
/**
 * The device of QEMU's edu, with which drivers are learned.
 *
 * @since 0.1.0
 */
package io.jvfio.model.edu;
