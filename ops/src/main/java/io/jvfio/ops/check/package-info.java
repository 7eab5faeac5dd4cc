// SPDX-License-Identifier: Apache-2.0
/**
 * What is looked at on a host. Each check reads files of sysfs and procfs, and tells what it has
 * found; none changes anything on the host.
 */
package io.jvfio.ops.check;
