// SPDX-License-Identifier: Apache-2.0
/** An NVMe controller as a device model: queues, commands, and what keeps the data. */
package io.jvfio.model.nvme;
