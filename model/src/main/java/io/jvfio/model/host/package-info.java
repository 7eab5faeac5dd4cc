// SPDX-License-Identifier: Apache-2.0
/** What those share that host device models: a simulated kernel, and a vfio-user server. */
package io.jvfio.model.host;
