// SPDX-License-Identifier: Apache-2.0
/**
 * What other modules of jvfio need of the library beyond its API: what stands behind a device that
 * is none of the kernel's, for {@code io.jvfio.user}; what is known about a host, for {@code
 * io.jvfio.ops}.
 */
package io.jvfio.spi;
