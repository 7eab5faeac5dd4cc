// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * A model whose state can be carried to another one of its kind while it does nothing: what a
 * migration of the device moves besides configuration space. A host may have the model {@linkplain
 * #quiesce quiet} while it calls these.
 */
public interface MigratableModel extends DeviceModel {
  /** Saves all that registers and operation depend on, in a form of the model's own. */
  byte[] save();

  /**
   * Takes the state of another model; this one is as after {@link #reset()} before.
   *
   * @param state hostile as any input: what another model's {@link #save} returned, or not
   * @throws IllegalArgumentException if no model of this kind saves such a state; what the model
   *     does after that is undefined until a reset
   */
  void restore(byte[] state);
}
