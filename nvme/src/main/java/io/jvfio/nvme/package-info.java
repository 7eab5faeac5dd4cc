/** The NVMe driver. */
package io.jvfio.nvme;
