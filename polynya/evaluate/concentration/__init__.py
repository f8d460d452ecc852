"""Maps of sea-ice concentration against charts, other grids or simulation truth: scores, ice edge, AutoICE.

Concentrations are percent. Values are scored with R², RMSE, MAE and bias, over everything and in the marginal ice zone
(15 to 80 % in the reference) alone, because water and closed ice decide R²; ice and water are separated at 15 %.
"""
