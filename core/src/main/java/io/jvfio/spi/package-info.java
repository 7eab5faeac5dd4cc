// SPDX-License-Identifier: Apache-2.0
/** What stands behind a device that is none of the kernel's: for module {@code io.jvfio.user}. */
package io.jvfio.spi;
