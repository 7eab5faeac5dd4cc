// SPDX-License-Identifier: Apache-2.0
/**
 * The NVMe driver.
 *
 * @since 0.1.0
 */
package io.jvfio.nvme;
