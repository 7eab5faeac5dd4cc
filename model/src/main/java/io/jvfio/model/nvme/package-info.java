// SPDX-License-Identifier: Apache-2.0
/**
 * An NVMe controller as a device model: queues, commands, and what keeps the data.
 *
 * @since 0.1.0
 */
package io.jvfio.model.nvme;
