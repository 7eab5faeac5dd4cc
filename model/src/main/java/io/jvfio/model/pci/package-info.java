// SPDX-License-Identifier: Apache-2.0
/** What functions of PCI have in common, and models of them do not see. */
package io.jvfio.model.pci;
