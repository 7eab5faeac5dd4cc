// SPDX-License-Identifier: Apache-2.0
/** The NVMe driver. */
package io.jvfio.nvme;
